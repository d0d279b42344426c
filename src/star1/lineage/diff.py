"""What moved between two states of the repository, row by row: `star1 diff`."""

import difflib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
from ruamel.yaml.error import YAMLError

from star1.artifacts import ARTIFACTS
from star1.errors import UserError
from star1.files import parse_yaml
from star1.lineage import flips, selected, tables
from star1.lineage.states import Missing, State, states
from star1.pipeline.graph import flat

TEXTS = {"texts.policies": "src/star1/policies", "texts.prompts": "src/star1/prompts"}  # param, and where it is not set
PARAMS = "params.yaml"


@dataclass(frozen=True)
class Table:
    """A parquet output that differs. `diff.rows` holds None for a state whose dvc.yaml does not declare it."""

    artifact: str
    path: str
    diff: tables.TableDiff


@dataclass
class Diff:
    """All that differs between `old` and `new`, the titles of the two states; commits are None for the workspace.

    params: {"name", "change": added, removed or changed, "old", "new"} by dotted name. texts: {"path", "change",
    "diff": lines of a unified diff}. same: tables that are the same bytes. others: outputs that are no tables, {"path",
    "change"}. selected: see `selected.moved`; None where a state has no STAR-1. benchmarks, flips: see
    `flips.compared`. notes: what could not be compared, and why.
    """

    old: str
    new: str
    commits: tuple[str | None, str | None]
    params: list[dict[str, Any]]
    texts: list[dict[str, Any]]
    tables: list[Table] = field(default_factory=list)
    same: list[str] = field(default_factory=list)
    others: list[dict[str, str]] = field(default_factory=list)
    selected: dict[str, list[dict[str, Any]]] | None = None
    benchmarks: list[dict[str, Any]] = field(default_factory=list)
    flips: list[dict[str, Any]] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def diff(old: str, new: str) -> Diff:
    """Compare two states: "workspace", or a commit's hash, branch or tag, or a DVC experiment.

    Raises UserError if there is no such state, or if a file of it cannot be understood.
    """
    with states(old, new) as (before, after):
        found = Diff(
            before.title, after.title, (before.commit, after.commit), _params(before, after), _texts(before, after)
        )
        for path in sorted({*before.outs, *after.outs}):
            _output(path, before, after, found)
        if selected.STAR1 in found.same:
            found.selected = {"came": [], "went": []}
        else:
            try:
                found.selected = selected.moved(before, after)
            except KeyError as error:
                found.notes.append(f"questions of STAR-1 are not compared, {error.args[0]}")
        found.missing = before.missing() + after.missing()
    return found


def artifact_of(path: str) -> str | None:
    """Return the name of the artifact that lies at `path`; None if it is no table of the pipeline."""
    for name, artifact in ARTIFACTS.items():
        folder, keyed, _ = artifact.path.partition("{")
        if path == artifact.path or (keyed and path.startswith(folder) and path.endswith(".parquet")):
            return name
    return None


def as_json(found: Diff) -> dict[str, Any]:
    """Return everything as plain values; rows are named by the columns of `tables.KEYS`."""
    plain = {name: value for name, value in vars(found).items() if name != "tables"}
    plain["missing"] = [asdict(entry) for entry in found.missing]
    plain["tables"] = [
        {
            "artifact": table.artifact,
            "path": table.path,
            "rows": table.diff.rows,
            "columns": table.diff.columns,
            "schema": table.diff.schema,
            **{name: getattr(table.diff, name).to_pylist() for name in ("added", "removed", "changed")},
        }
        for table in found.tables
    ]
    return plain


def _output(path: str, before: State, after: State, found: Diff) -> None:
    """Compare one output of either state, if it differs or may differ."""
    old, new = before.outs.get(path), after.outs.get(path)
    artifact = artifact_of(path)
    if old and new and old.md5 == new.md5 and old.md5 is not None:
        if artifact:
            found.same.append(path)
    elif artifact is None:
        change = "added" if old is None else "removed" if new is None else "changed"
        if not any([state.unbuilt(path) for state in (before, after)]):  # a list: both say so
            found.others.append({"path": path, "change": change})
    else:
        _table(artifact, path, before, after, found)


def _table(artifact: str, path: str, before: State, after: State, found: Diff) -> None:
    keys = tables.KEYS.get(artifact, ("id",))
    with before.table(path) as old, after.table(path) as new:
        try:
            if old and new:
                found.tables.append(Table(artifact, path, tables.compare(old, new, keys)))
                if artifact == "judgements":
                    _verdicts(path, old, new, found)
            elif old and path not in after.outs:
                found.tables.append(Table(artifact, path, tables.alone(old, keys, added=False)))
            elif new and path not in before.outs:
                found.tables.append(Table(artifact, path, tables.alone(new, keys, added=True)))
        except (pa.ArrowInvalid, OSError) as error:
            problem = f"{path}: its rows cannot be read in {before.name} or {after.name}: {error}"
            raise UserError(f"{problem}. `dvc checkout --force {path}` restores the workspace's.") from None


def _verdicts(path: str, old: Any, new: Any, found: Diff) -> None:
    model = path.removeprefix(ARTIFACTS["judgements"].path.split("{")[0]).removesuffix(".parquet")
    try:
        benchmarks, flipped = flips.compared(old, new, model)
    except KeyError as error:
        found.notes.append(f"{path}: verdicts are not compared, a state lacks the column {error.args[0]}")
        return
    found.benchmarks += benchmarks
    found.flips += flipped


def _params(before: State, after: State) -> list[dict[str, Any]]:
    old, new = _flat_params(before), _flat_params(after)
    return [
        {"name": name, "change": _change(name in old, name in new), "old": old.get(name), "new": new.get(name)}
        for name in dict.fromkeys([*old, *new])
        if (name in old) != (name in new) or old[name] != new[name]
    ]


def _flat_params(state: State) -> dict[str, Any]:
    try:
        params = parse_yaml((state.text(PARAMS) or "").encode()) or {}
    except YAMLError as error:
        raise UserError(f"{PARAMS} of {state.name} is no YAML: {' '.join(str(error).split())}") from None
    return flat(params) if isinstance(params, dict) else {}


def _texts(before: State, after: State) -> list[dict[str, Any]]:
    """Compare the texts by their names in the folder that each state's own params name."""
    changed = []
    for param, folder in TEXTS.items():
        folders = [PurePosixPath(str(_flat_params(state).get(param, folder))) for state in (before, after)]
        old, new = (
            {path.removeprefix(f"{at}/"): text for path, text in state.texts(str(at)).items()}
            for state, at in zip((before, after), folders, strict=True)
        )
        for name in sorted({*old, *new}):
            if old.get(name) != new.get(name):
                path = str(folders[name in new] / name)
                lines = list(_lines(old.get(name, ""), new.get(name, "")))
                changed.append({"path": path, "change": _change(name in old, name in new), "diff": lines})
    return changed


def _lines(old: str, new: str) -> Iterator[str]:
    """Yield the lines of a unified diff without its two lines of file names."""
    yield from list(difflib.unified_diff(old.splitlines(), new.splitlines(), n=1, lineterm=""))[2:]


def _change(in_old: bool, in_new: bool) -> str:
    return "changed" if in_old and in_new else "removed" if in_old else "added"
