"""What dvc.yaml says about a stage: its declared params, dependencies and outputs, with the keys filled in."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml.error import YAMLError

from star1.errors import UserError
from star1.files import TEMPORARY, file_md5, parse_yaml

OUTPUTS = ("outs", "metrics", "plots")  # the headings of what a stage writes


@dataclass(frozen=True)
class Declared:
    """A stage's entry in dvc.yaml; paths are relative to the repository."""

    params: tuple[str, ...]
    deps: tuple[str, ...]
    outs: tuple[str, ...]


def declared(root: Path, name: str, keys: tuple[str, ...], params: dict[str, Any]) -> Declared:
    """Read the stage `name` from dvc.yaml and fill in its ${...}.

    `keys` is the part of the stage's name after the @: the key of a foreach, or the item of its list; `params` is
    params.yaml as plain mappings. Raises KeyError if there is no such stage, key or field.
    """
    return _filled(_entries(root)[name], keys, params)


def every(root: Path, params: dict[str, Any]) -> dict[tuple[str, ...], Declared]:
    """Return all stages that dvc.yaml has with these params, by name and key."""
    found: dict[tuple[str, ...], Declared] = {}
    for name, entry in _entries(root).items():
        keys = [(str(key),) for key in _section(entry, params)] if "foreach" in entry else [()]
        found |= {(name, *key): _filled(entry, key, params) for key in keys}
    return found


def _entries(root: Path) -> dict[str, Any]:
    try:
        entries: dict[str, Any] = parse_yaml((root / "dvc.yaml").read_bytes())["stages"]
    except YAMLError as error:
        raise UserError(f"{root / 'dvc.yaml'}: not valid YAML: {' '.join(str(error).split())}") from None
    return entries


def _section(entry: dict[str, Any], params: dict[str, Any]) -> Any:
    """Return what a foreach goes through: a mapping or a list of params.yaml."""
    section: Any = params
    for key in entry["foreach"].strip("${}").split("."):
        section = section[key]
    return section


def _filled(entry: dict[str, Any], keys: tuple[str, ...], params: dict[str, Any]) -> Declared:
    values = {key: str(value) for key, value in flat(params).items()}
    if "foreach" in entry:
        section = _section(entry, params)
        if isinstance(section, dict):
            values |= {"key": keys[0]} | {f"item.{field}": str(value) for field, value in section[keys[0]].items()}
        else:
            values["item"] = keys[0]
        entry = entry["do"]

    def filled(*parts: str) -> tuple[str, ...]:
        return tuple(re.sub(r"\$\{([^}]+)\}", lambda field: values[field[1]], path) for path in _paths(entry, *parts))

    return Declared(filled("params"), filled("deps"), filled(*OUTPUTS))


def _paths(entry: dict[str, Any], *parts: str) -> list[str]:
    """Return what a stage lists under these headings, without the options that stand with a path."""
    return [next(iter(item)) if isinstance(item, dict) else item for part in parts for item in entry.get(part, [])]


def leftovers(root: Path, params: dict[str, Any]) -> list[Path]:
    """Return the files of stages that are gone: those in a folder that a stage depends on, which no stage writes.

    A stage that depends on data/raw would otherwise count the rows of a source that params.yaml names no more.
    """
    outs = {out for stage in every(root, params).values() for out in stage.outs}
    files = (file for folder in folders(root, params) for file in sorted((root / folder).rglob("*")) if file.is_file())
    return [file for file in files if not covers(tuple(outs), file.relative_to(root))]


def not_recorded(root: Path, files: list[Path]) -> list[Path]:
    """Return those of the files that neither dvc.lock names nor DVC's cache holds; what a killed stage left is none.

    Importing DVC takes a second, so this is asked where there are leftovers.
    """
    lock = root / "dvc.lock"
    stages = parse_yaml(lock.read_bytes()).get("stages", {}) if lock.is_file() else {}
    named = {root / out["path"] for stage in stages.values() for out in stage.get("outs", [])}
    unknown = [file for file in files if file not in named and not file.match(f".*{TEMPORARY}")]
    if not unknown:
        return []
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        cache = Repo(str(root)).cache.local
    except DvcException:
        return unknown
    return [file for file in unknown if not cache.exists(file_md5(file))]


def folders(root: Path, params: dict[str, Any]) -> list[Path]:
    """Return the folders that stages depend on as a whole and others write files into, such as data/raw.

    Folders of entries count where params.yaml names no entry, too: data/raw without a source is still read.
    """
    written: set[Path] = set()
    for entry in _entries(root).values():
        for out in _paths(entry.get("do", entry), *OUTPUTS):
            written |= {folder for folder in Path(out).parents if "${" not in str(folder)}
    return sorted({Path(dep) for stage in every(root, params).values() for dep in stage.deps} & written)


def covers(declared_paths: tuple[str, ...], path: Path) -> bool:
    """Say whether `path` is one of the declared paths or lies below one."""
    return any(path == Path(known) or Path(known) in path.parents for known in declared_paths)


def flat(nested: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with dotted keys."""
    found: dict[str, Any] = {}
    for key, value in nested.items():
        name = f"{prefix}{key}"
        found |= flat(value, f"{name}.") if isinstance(value, dict) else {name: value}
    return found
