"""What dvc.yaml says about a stage: its declared params, dependencies and outputs, with the keys filled in."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML


@dataclass(frozen=True)
class Declared:
    """A stage's own words in dvc.yaml; paths are relative to the repository."""

    params: tuple[str, ...]
    deps: tuple[str, ...]
    outs: tuple[str, ...]


def declared(root: Path, name: str, keys: tuple[str, ...], params: dict[str, Any]) -> Declared:
    """Read the stage `name` from dvc.yaml and fill in its ${...}.

    `keys` are what stands behind the @ of the stage's name: the key of a foreach, or the values of a matrix in its
    order; `params` is params.yaml as plain mappings. Raises KeyError if there is no such stage, key or field.
    """
    entry = YAML(typ="safe").load(root / "dvc.yaml")["stages"][name]
    values = {key: str(value) for key, value in flat(params).items()}
    if "foreach" in entry:
        section = params[entry["foreach"].strip("${}")]
        values |= {"key": keys[0]} | {f"item.{field}": str(value) for field, value in section[keys[0]].items()}
        entry = entry["do"]
    elif "matrix" in entry:
        values |= {f"item.{axis}": key for axis, key in zip(entry["matrix"], keys, strict=True)}

    def filled(section: str) -> tuple[str, ...]:
        paths = (next(iter(item)) if isinstance(item, dict) else item for item in entry.get(section, []))
        return tuple(re.sub(r"\$\{([^}]+)\}", lambda field: values[field[1]], path) for path in paths)

    return Declared(filled("params"), filled("deps"), filled("outs") + filled("metrics") + filled("plots"))


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
