"""The stages of dvc.yaml as calls in this process, in the order of the graph.

An interpreter for each would spend seconds on imports, and DVC reads and writes a long dvc.lock after each stage. What
has run with these params and inputs is not run again, as with DVC; what DVC itself does is tested elsewhere.
"""

import hashlib
import os
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from star1 import params
from star1.cli import check
from star1.pipeline import graph
from star1.pipeline.stage import Stage, dvc_name
from star1.quality import client as gate

MADE = ("data/", "models/", "metrics/")  # what changes between two runs; the code does not
Name = tuple[str, ...]
check_table = gate.check


class Pipeline:
    """The stages of a repository, which remember what they ran with.

    The quality gate checks the first table of each artifact: every check takes about 0.3 s.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._ran: dict[Name, str] = {}
        self._checked: set[str] = set()

    def repro(self) -> set[str]:
        """Run the stages that have not run with these params and inputs; return their names, as DVC has them."""
        before = dict(os.environ)
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.root)
            patch.delenv("DVC_ROOT", raising=False)
            patch.setattr(gate, "check", self._check)
            # Each stage reads both files, 0.1 s of YAML.
            patch.setattr(params, "load_raw", cache(params.load_raw))
            patch.setattr(graph, "_entries", cache(graph._entries))
            # DVC's record of what stages wrote is not kept here; tests/pipeline/test_models.py has the real one.
            patch.setattr(graph, "not_recorded", lambda root, files: [])
            try:
                check(Path("data/.checked"))
                raw = params.load_raw(Path("params.yaml"))
                stages = graph.every(Path(), raw)
                return {dvc_name(*name) for name in in_order(stages) if self._run(name, stages[name], raw)}
            finally:  # MLflow leaves its address there
                os.environ.clear()
                os.environ.update(before)

    def _check(self, artifact: str, *table: Any) -> None:
        if artifact not in self._checked:
            check_table(artifact, *table)
            self._checked.add(artifact)

    def _run(self, name: Name, declared: graph.Declared, raw: dict[str, Any]) -> bool:
        """Run a stage if it has to be; say whether it was."""
        key = _key(declared, raw)
        there = all(Path(out).exists() for out in declared.outs)
        if name == ("check",) or (there and self._ran.get(name) == key):
            return False
        stage, keys = name[0], name[1:]
        getattr(import_module(f"stages.{stage}"), stage)(Stage(stage, keys, Path()), *keys)
        assert all(Path(out).exists() for out in declared.outs), f"{name} wrote not all that dvc.yaml says"
        self._ran[name] = key
        return True


def in_order(stages: dict[Name, graph.Declared]) -> Iterator[Name]:
    """Yield the stages so that each comes behind those that write what it reads."""
    writers = [(f"{out}/", name) for name, stage in stages.items() for out in stage.outs]
    return TopologicalSorter(
        {
            name: {writer for dep in stage.deps for out, writer in writers if out.startswith(f"{dep}/")}
            for name, stage in stages.items()
        }
    ).static_order()


def _key(declared: graph.Declared, raw: dict[str, Any]) -> str:
    """Return a digest of the params that a stage declares, and of the files below its deps."""
    wanted = [key.split(".") for key in declared.params]
    values = [(key, value) for key, value in graph.flat(raw).items() if _below(key.split("."), wanted)]
    digest = hashlib.sha256(repr(values).encode())
    for dep in (Path(dep) for dep in declared.deps if dep.startswith(MADE)):
        for file in sorted(dep.rglob("*")) if dep.is_dir() else [dep]:
            digest.update(f"{file}\n".encode() + (file.read_bytes() if file.is_file() else b""))
    return digest.hexdigest()


def _below(key: list[str], wanted: list[list[str]]) -> bool:
    return any(key[: len(parts)] == parts for parts in wanted)
