"""What dvc.lock says of an output: its hash, and the stages, params and data that led to it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from star1.errors import UserError
from star1.files import file_md5
from star1.params import load_raw
from star1.pipeline.graph import every


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
    writers = {out["path"]: (name, out["md5"]) for name, stage in stages.items() for out in stage.get("outs", [])}
    hashes: dict[str, str] = {}
    todo = [path]
    while todo:
        if (each := todo.pop()) in hashes or each not in writers:
            continue
        name, hashes[each] = writers[each]
        for dep in stages[name].get("deps", []):
            made_of = _made_of(root, dep, {out: md5 for out, (_, md5) in writers.items()})
            if made_of is None:
                raise UserError(f"{path}: {name} was run on an older {dep['path']}; `dvc repro` brings it up to date.")
            todo += filter(_shown, made_of)
    if not hashes:
        raise UserError(f"{path}: dvc.lock has no stage that wrote it; `dvc repro` builds it.")
    params: dict[str, Any] = {}
    for name in dict.fromkeys(writers[each][0] for each in sorted(hashes)):
        params |= stages[name].get("params", {}).get("params.yaml", {})
    return Provenance(dict(sorted(params.items())), dict(sorted(hashes.items())))


def _made_of(root: Path, dep: dict[str, str], outs: dict[str, str]) -> list[str] | None:
    """Return the outputs that a dependency is or, if it is a folder, held; None if they are not as they were then.

    dvc.lock also remembers the outputs of sources that params.yaml names no more; a folder held them or not.
    """
    path, md5 = dep["path"], dep["md5"]
    if path in outs:
        return [path] if outs[path] == md5 else None
    inside = [out for out in outs if out.startswith(f"{path}/")]
    if not inside:
        return []
    today = {out for stage in every(root, load_raw(root / "params.yaml")).values() for out in stage.outs}
    for held in ([out for out in inside if out in today], inside):
        if folder_md5({out.removeprefix(f"{path}/"): outs[out] for out in held}) == md5:
            return held
    return None


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


def _shown(out: str) -> bool:
    """Say whether an output is a table or a model; `check` writes a mark only."""
    path = Path(out)
    return not path.name.startswith(".") and path.parts[0] in ("data", "models")


def current_md5(path: Path) -> str:
    """Return the MD5 under which DVC would keep a file or folder as it is now; that of a folder ends in .dir."""
    if not path.is_dir():
        return file_md5(path)
    return folder_md5({file.relative_to(path).as_posix(): file_md5(file) for file in path.rglob("*") if file.is_file()})


def folder_md5(files: dict[str, str]) -> str:
    """Return the MD5 under which DVC keeps a folder with these files: path in the folder -> MD5."""
    listed = [{"md5": md5, "relpath": file} for file, md5 in sorted(files.items())]
    return f"{hashlib.md5(json.dumps(listed).encode(), usedforsecurity=False).hexdigest()}.dir"
