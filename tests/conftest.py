"""Shared fixtures: the repository's own params, and small copies of the repository in which real DVC runs."""

import copy
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from ruamel.yaml import YAML

from star1.params import load_raw
from tests import warm
from tests.imports import ROOT

# What params.yaml names by default, beside the files that sources name.
TEXTS = ("src/star1/policies", "src/star1/prompts")
CODE = ("src", "stages", "configs", "presets")
PLOTS = ".dvc/plots"  # templates, which `dvc init` has none of
FILES = ("dvc.yaml", "params.yaml", ".dvcignore", ".gitignore", "pyproject.toml")

LONG = ("training", "pipeline", "llm")  # the folders with the longest files

# A busy machine takes longer over an example than hypothesis's 200 ms; no test is about time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the folders with the longest files first, so that no worker is alone with one at the end.

    Before all comes a test that builds the repository of tests/pipeline; the other workers run the trainings meanwhile.
    """
    items.sort(key=lambda item: LONG.index(item.path.parent.name) if item.path.parent.name in LONG else len(LONG))
    first = next((item for item in items if "built_once" in getattr(item, "fixturenames", ())), None)
    if first is not None:
        items.insert(0, items.pop(items.index(first)))


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Put the environment back: MLflow, for one, leaves its address there, and a later `dvc repro` would take it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def raw_params() -> dict[str, Any]:
    """The repository's params as plain mappings, to be changed at will."""
    return copy.deepcopy(load_raw(ROOT / "params.yaml"))


def copy_repository(target: Path) -> Path:
    """Copy the code into `target` and make it a git and DVC repository of its own.

    What is compiled goes with it: numba takes 10 CPU seconds in each copy without.
    """
    target.mkdir(parents=True)
    for name in CODE:
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("*.egg-info"))
    for name in FILES:
        shutil.copy(ROOT / name, target / name)
    (target / "data/mirror").mkdir(parents=True)
    shutil.copy(ROOT / "data/mirror/README.md", target / "data/mirror")
    for command in (["git", "init", "-q"], ["dvc", "init", "-q"], ["dvc", "config", "core.analytics", "false"]):
        run(target, *command)
    shutil.copytree(ROOT / PLOTS, target / PLOTS, dirs_exist_ok=True)
    return target


def commit(repository: Path, message: str = "state") -> None:
    """Commit everything, as somebody."""
    run(repository, "git", "add", "-A")
    run(repository, "git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qm", message)


def run(repository: Path, *command: str, ok: bool = True, **variables: str) -> str:
    """Run a command in the repository with its own code first on the path; return what it printed, both streams.

    `variables` are set, or change what would be set, in its environment.
    """
    first = [*warm.folders(), str(Path(sys.executable).parent)]
    environment = os.environ | {
        "PATH": os.pathsep.join([*first, os.environ["PATH"]]),
        "PYTHONPATH": str(repository / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        **variables,
    }
    environment.pop("DVC_ROOT", None)
    done = subprocess.run(
        command,
        cwd=repository,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ok and done.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    if not ok and not done.returncode:
        raise AssertionError(f"{' '.join(command)} should have failed:\n{done.stdout}")
    return done.stdout


def edit_params(repository: Path, change: Callable[[Any], None]) -> None:
    """Change params.yaml by a function of its (round-trip) mapping."""
    yaml = YAML()
    yaml.width = 200
    params = yaml.load(repository / "params.yaml")
    change(params)
    yaml.dump(params, repository / "params.yaml")


def shrink(params: Any) -> None:
    """Make the miniature world tiny: it learns nothing, and every stage still does its whole work."""
    kept = ["HarmfulQA", "ALERT"]
    params["collect"]["order"] = kept
    params["sources"] = {name: dict(params["sources"][name]) | {"rows": 90} for name in kept}
    benchmarks = ["StrongREJECT", "XSTest", "Arithmetic", "SGBench"]
    params["benchmarks"] = {name: dict(params["benchmarks"][name]) | {"rows": 30} for name in benchmarks}
    for name in benchmarks[:3]:
        params["benchmarks"][name]["max_tokens"] = 8
    params["suites"] = {"safety": ["StrongREJECT"], "over_refusal": ["XSTest"], "reasoning": ["Arithmetic"]}
    params["deduplicate"]["against"] = {
        "safety": ["StrongREJECT"],
        "over_refusal": ["XSTest"],
        "decontamination": ["SGBench"],
    }
    params["select"]["k"] = 24
    params["bases"]["miniature"] |= {
        "examples": 96,
        "hidden": 32,
        "layers": 1,
        "heads": 2,
        "kv_heads": 1,
        "mlp": 64,
        "threads": 1,
    }
    params["train"] |= {"threads": 1, "batch": 8}
    params["runs"] = {name: dict(params["runs"][name]) | {"epochs": 1} for name in ("star1",)}
    params["evaluate"]["models"] = ["miniature", "star1"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A tiny copy of the repository, nothing built yet."""
    target = copy_repository(tmp_path / "repository")
    edit_params(target, shrink)
    commit(target)
    return target


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the project's params and graph, and nothing built."""
    for name in ("params.yaml", "dvc.yaml", "configs", "data/mirror", "src/star1/miniature/world", *TEXTS):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    monkeypatch.setenv("STAR1_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def real_files() -> Path:
    """Return the folder of real files: STAR1_SHARED_DATA, or shared/data beside the repository; skip without one."""
    folder = Path(os.environ.get("STAR1_SHARED_DATA") or ROOT.parent / "shared/data")
    if not (folder / "sources").is_dir():
        pytest.skip(f"no real files in {folder}")
    return folder
