"""What dvc.lock says of an output: its hash, and the stages, params and data that led to it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from star1.errors import UserError
from star1.files import file_md5
from star1.params import load_raw


@dataclass(frozen=True)
class Provenance:
    """Where an output comes from.

    params: those of all the stages that led to it, by dotted key. hashes: DVC's MD5 of the output and of every table
    and model that it was made of, by path.
    """

    params: dict[str, Any]
    hashes: dict[str, str]


def provenance(root: Path, path: str) -> Provenance:
    """Return where the output `path` comes from. Raises UserError if dvc.lock does not know it or it is outdated."""
    stages = _stages(root)
    needed, hashes = {path}, dict[str, str]()
    params: dict[str, Any] = {}
    # A stage stands in the lock anywhere, so it is looked through until no stage comes to those that wrote something.
    last: list[str] = []
    while (writers := [name for name, stage in stages.items() if _wrote(stage, needed)]) != last:
        needed |= {dep["path"] for name in writers for dep in stages[name].get("deps", [])}
        last = writers
    if not last:
        raise UserError(f"{path}: dvc.lock has no stage that wrote it; `dvc repro` builds it.")
    now = {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}
    for name in last:
        for dep in stages[name].get("deps", []):
            if now.get(dep["path"], dep["md5"]) != dep["md5"]:
                raise UserError(f"{path}: {name} was run on an older {dep['path']}; `dvc repro` brings it up to date.")
        params |= stages[name].get("params", {}).get("params.yaml", {})
        hashes |= {out["path"]: out["md5"] for out in stages[name]["outs"] if _covered(Path(out["path"]), needed)}
    return Provenance(dict(sorted(params.items())), dict(sorted(hashes.items())))


def locked_paths(root: Path) -> list[str]:
    """Return all paths that dvc.lock names, of what stages read and write."""
    stages = _stages(root).values()
    return [entry["path"] for stage in stages for kind in ("outs", "deps") for entry in stage.get(kind, [])]


def _stages(root: Path) -> dict[str, Any]:
    lock = root / "dvc.lock"
    stages = load_raw(lock).get("stages") if lock.is_file() else {}
    if not isinstance(stages, dict):
        raise UserError(f"{lock}: no mapping of stages; `git checkout {lock}` restores it.")
    return stages


def _wrote(stage: dict[str, Any], needed: set[str]) -> bool:
    return any(_covered(Path(out["path"]), needed) for out in stage.get("outs", []))


def _covered(out: Path, needed: set[str]) -> bool:
    """Say whether an output is a table or model that is needed, alone or in a folder; `check` writes a mark only."""
    return (
        not out.name.startswith(".")
        and out.parts[0] in ("data", "models")
        and any(str(path) in needed for path in (out, *out.parents))
    )


def current_md5(path: Path) -> str:
    """Return the MD5 under which DVC would keep a file or folder as it is now; that of a folder ends in .dir."""
    if not path.is_dir():
        return file_md5(path)
    files = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    listed = [{"md5": file_md5(path / file), "relpath": file} for file in files]
    return f"{hashlib.md5(json.dumps(listed).encode(), usedforsecurity=False).hexdigest()}.dir"
