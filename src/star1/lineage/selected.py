"""Which questions of STAR-1 came and went between two states, and why: the lineage of the state that lacks them."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from star1.artifacts import ARTIFACTS
from star1.dedup.ledger import EXACT_DUPLICATE
from star1.lineage.states import State
from star1.selection import COPY

STAR1 = ARTIFACTS["star1"].path
COLLECTION = ARTIFACTS["collection"].path
STAGES = ("collect", "deduplicate", "categorize", "reason", "score", "select")
COLUMNS = ["id", "reason", "because_of", "value", "detail"]
COPIES = (EXACT_DUPLICATE, COPY)  # reasons of a line about another copy of a question; the row itself went on
Row = dict[str, Any]


def moved(old: State, new: State) -> dict[str, list[Row]] | None:
    """Return {"came": rows, "went": rows}, in STAR-1's order; None if a state has no STAR-1 to read.

    A row is {"id", "question", "source", "stage", "reason", "because_of", "because", "value", "detail"}: the stage at
    which it left in the state that lacks it, the reason, and the row or benchmark prompt that decided; `because` is
    that row's question if it was kept. Where no lineage names the row, `reason` says so and `stage` is
    "collect", "published" or None. Raises KeyError saying which table lacks a column.
    """
    before, after = (_read(state, STAR1, ["id", "question", "source"]) for state in (old, new))
    if before is None or after is None:
        return None
    came = after.filter(pc.invert(pc.is_in(after["id"], before["id"])))
    went = before.filter(pc.invert(pc.is_in(before["id"], after["id"])))
    return {"came": _explained(came, old, new), "went": _explained(went, new, old)}


def _read(state: State, path: str, columns: list[str]) -> pa.Table | None:
    """Return these columns of an output; None if it is not to be had."""
    with state.table(path) as file:
        if file is None:
            return None
        if lacking := [name for name in columns if name not in file.schema_arrow.names]:
            raise KeyError(f"{path} of {state.name} lacks the column {', '.join(lacking)}")
        return file.read(columns=columns)


def _explained(rows: pa.Table, state: State, other: State) -> list[Row]:
    """Return the rows with the reason why `state` lacks them; `other` has them."""
    if not len(rows):
        return []
    left: dict[str, Row] = {}
    unread = False
    for stage, path in _lineages(state):
        lines = _read(state, path, COLUMNS)
        if lines is None:
            unread = True
            continue
        lines = lines.filter(pc.is_in(lines["id"], rows["id"]))
        for line in lines.filter(pc.invert(pc.is_in(lines["reason"], pa.array(COPIES)))).to_pylist():
            left[line["id"]] = {"stage": stage, **line}
    kept = _questions(state, {row_id for line in left.values() if (row_id := line["because_of"])}, rows["id"])
    nowhere = rows.filter(pc.invert(pc.is_in(rows["id"], pa.array(list(left), pa.string()))))
    unknown = "its lineage is not here" if unread else None
    found = {row["id"]: row for row in _nowhere(nowhere, state, other, kept, unknown)}
    return [
        row | {"because": None} | (_why(left[row["id"]], kept) if row["id"] in left else found[row["id"]])
        for row in rows.to_pylist()
    ]


def _lineages(state: State) -> Iterator[tuple[str, str]]:
    """Yield (stage, path) of the lineage tables in the order of the stages."""
    folder = ARTIFACTS["lineage"].path.split("{")[0]
    for stage in STAGES:
        for path in sorted(state.outs):
            if path == f"{folder}{stage}.parquet" or path.startswith(f"{folder}{stage}/"):
                yield stage, path


def _questions(state: State, wanted: set[str], more: pa.ChunkedArray) -> dict[str, str]:
    """Return id -> question of those rows that are in the state's collection."""
    table = _read(state, COLLECTION, ["id", "question"])
    if table is None:
        return {}
    ids = pa.array([*wanted, *more.to_pylist()], pa.string())
    table = table.filter(pc.is_in(table["id"], ids))
    return dict(zip(table["id"].to_pylist(), table["question"].to_pylist(), strict=True))


def _why(line: Row, kept: dict[str, str]) -> Row:
    return line | {"because": kept.get(line["because_of"])}


def _nowhere(rows: pa.Table, state: State, other: State, kept: dict[str, str], unknown: str | None) -> Iterator[Row]:
    """Say what is known of the rows that no lineage of the state names."""
    if not len(rows):
        return
    theirs, ours = _published(other, rows["id"]), _published(state, rows["id"])
    different = "and no lineage says where it left: tables of different runs"
    for row in rows.to_pylist():
        row_id, source, name = row["id"], row["source"], theirs.get(row["id"])
        stage = None
        if unknown:
            reason = unknown
        elif row_id in kept or row_id in ours:
            reason = f"{'collected' if row_id in kept else 'published'}, {different}"
        elif name:
            stage, here = "published", ARTIFACTS["published"].path.format(name=name) in state.outs
            reason = f"{name} does not hold it" if here else f"{name} is not among the published entries"
        else:
            stage, here = "collect", ARTIFACTS["raw"].path.format(source=source) in state.outs
            reason = f"{source} does not hold it" if here else f"{source} is not among the sources"
        yield {"id": row_id, "stage": stage, "reason": reason, "because_of": None, "value": None, "detail": None}


def _published(state: State, ids: pa.ChunkedArray) -> dict[str, str]:
    """Return id -> name of the first published entry that holds the row, of those rows that one holds."""
    folder = ARTIFACTS["published"].path.split("{")[0]
    found: dict[str, str] = {}
    for path in sorted(path for path in state.outs if path.startswith(folder)):
        table = _read(state, path, ["id"])
        held = [] if table is None else table.filter(pc.is_in(table["id"], ids))["id"].to_pylist()
        found = dict.fromkeys(held, path.removeprefix(folder).removesuffix(".parquet")) | found
    return found
