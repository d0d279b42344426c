"""Presets: partial params that are laid over params.yaml."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from star1.errors import UserError
from star1.files import atomic
from star1.params import check, load_raw

# Mappings of named entries: a preset's entries take the place of all that were there.
REPLACED_WHOLE = (
    "sources", "published", "datasets", "benchmarks", "suites", "agreement", "bases", "runs", "notes", "against",
)  # fmt: skip
# Mappings whose entries are replaced one by one, each of them whole: nothing of an earlier preset's entry stays.
ENTRIES_REPLACED = ("roles", "protocols")
LINE = 76  # characters; the writer breaks lines at 80


def available(folder: Path) -> list[str]:
    """Return the names of the presets in `folder`."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def lay_over(params: Path, folder: Path, name: str) -> None:
    """Lay the preset `name` over `params`, keeping the comments, and check the result before it is written.

    Raises UserError if there is no such preset, or if the params would not be valid with it.
    """
    names = available(folder)
    if name not in names:
        raise UserError(f"no preset {name!r}; there are {', '.join(names)}.")
    for file in (params, folder / f"{name}.yaml"):
        load_raw(file)  # names a file that is no mapping
    yaml = YAML()  # as DVC writes params.yaml, so that `dvc exp run -S` changes one line of it
    merged = yaml.load(params)
    _merge(merged, yaml.load(folder / f"{name}.yaml"))
    unfold(merged)
    with atomic(params) as temporary:
        yaml.dump(merged, temporary)
        try:
            check(load_raw(temporary), params)
        except UserError as error:
            raise UserError(
                f"{error}\npreset {name}: {params.name} is as it was, since these would be its mistakes; "
                f"the first lines of {folder.name}/{name}.yaml say what it is laid over."
            ) from None


def _merge(onto: Any, preset: Any) -> None:
    for key, value in preset.items():
        if key in REPLACED_WHOLE or not isinstance(value, dict) or not isinstance(onto.get(key), dict):
            onto[key] = value
        elif key in ENTRIES_REPLACED:
            onto[key].update(value)
        else:
            _merge(onto[key], value)


def unfold(node: Any, indent: int = 0) -> None:
    """Give each mapping and list of a round-trip document that is longer than a line a line for each entry.

    The writer would break it within an entry instead.
    """
    entries = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in entries:
        if isinstance(value, CommentedMap | CommentedSeq) and value:
            if value.fa.flow_style() and indent + len(f"{key}: {_in_one_line(value)}") > LINE:
                value.fa.set_block_style()
            unfold(value, indent + 2)


def _in_one_line(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_in_one_line(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_in_one_line, value)) + "]"
    return "null" if value is None else str(value)
