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
Row = dict[str, Any]


def moved(old: State, new: State) -> dict[str, list[Row]] | None:
    """Return {"came": rows, "went": rows}, in STAR-1's order; None if a state has no STAR-1 to read.

    A row is {"id", "question", "source", "stage", "reason", "because_of", "because", "value", "detail"}: the stage at
    which it left in the state that lacks it, the reason, and the row or benchmark prompt that decided; `because` is
    that row's question if it was kept. Where no lineage names the row, `reason` says so and `stage` is
    "collect" or None.
    """
    before, after = _rows(old), _rows(new)
    if before is None or after is None:
        return None
    came = after.filter(pc.invert(pc.is_in(after["id"], before["id"])))
    went = before.filter(pc.invert(pc.is_in(before["id"], after["id"])))
    return {"came": _explained(came, old), "went": _explained(went, new)}


def _rows(state: State) -> pa.Table | None:
    with state.table(STAR1) as file:
        return None if file is None else file.read(columns=["id", "question", "source"])


def _explained(rows: pa.Table, state: State) -> list[Row]:
    """Return the rows with the reason why `state` lacks them."""
    if not len(rows):
        return []
    left: dict[str, Row] = {}
    unread = False
    for stage, path in _lineages(state):
        with state.table(path) as file:
            if file is None:
                unread = True
                continue
            lines = file.read(columns=COLUMNS)
        lines = lines.filter(pc.is_in(lines["id"], rows["id"]))
        # Another copy of the same question left; the row itself went on.
        copies = pc.is_in(lines["reason"], pa.array([EXACT_DUPLICATE, COPY]))
        for line in lines.filter(pc.invert(copies)).to_pylist():
            left[line["id"]] = {"stage": stage, **line}
    kept = _questions(state, {row_id for line in left.values() if (row_id := line["because_of"])}, rows["id"])
    unknown = "its lineage is not here" if unread else None
    return [
        row
        | {"because": None}
        | (_why(left[row["id"]], kept) if row["id"] in left else _nowhere(row, state, kept, unknown))
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
    with state.table(COLLECTION) as file:
        if file is None:
            return {}
        table = file.read(columns=["id", "question"])
    ids = pa.array([*wanted, *more.to_pylist()], pa.string())
    table = table.filter(pc.is_in(table["id"], ids))
    return dict(zip(table["id"].to_pylist(), table["question"].to_pylist(), strict=True))


def _why(line: Row, kept: dict[str, str]) -> Row:
    return line | {"because": kept.get(line["because_of"])}


def _nowhere(row: Row, state: State, kept: dict[str, str], unknown: str | None) -> Row:
    """Say what is known of a row that no lineage of the state names."""
    nothing = {"stage": None, "because_of": None, "value": None, "detail": None}
    if unknown:
        return nothing | {"reason": unknown}
    if row["id"] in kept:
        return nothing | {"reason": "collected, and no lineage says where it left: tables of different runs"}
    if ARTIFACTS["raw"].path.format(source=row["source"]) not in state.outs:
        return nothing | {"stage": "collect", "reason": f"{row['source']} is not among the sources"}
    return nothing | {"stage": "collect", "reason": f"{row['source']} does not hold it"}
