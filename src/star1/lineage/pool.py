"""The raw rows and what deduplication did with them, searched by id, as fast as half a million rows allow.

Everything stays in Arrow columns. Raw rows hold no id, and hashing them all would take longer than everything else, so
a dropped row is found by its place in the lineage, which is in the order of the raw rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from star1.artifacts import ARTIFACTS, read_arrow
from star1.dedup.corpus import Numbers
from star1.dedup.ledger import EXACT_DUPLICATE
from star1.text import question_id

LINEAGE = ["id", "source", "reason", "because_of", "value", "detail"]


@dataclass(frozen=True)
class Place:
    """Where a question was collected; source_id and question are None where data/raw does not hold it (any more)."""

    source: str
    source_id: str | None
    question: str | None


@dataclass(frozen=True)
class Pool:
    """The sources in their order; what deduplication kept and what it dropped, both empty if it has not run."""

    root: Path
    order: list[str]
    deduplicated: bool
    collection: pa.Table
    lineage: pa.Table


def read_pool(root: Path, order: list[str]) -> Pool:
    """Read the pool of the repository at `root`. Raises UserError if a table cannot be read."""
    collection = read_if_built(root, "collection", ["id", "question", "source"])
    lineage = read_if_built(root, "lineage", LINEAGE, stage="deduplicate")
    if collection is None or lineage is None:
        nothing = (ARTIFACTS[name].schema.empty_table() for name in ("collection", "lineage"))
        return Pool(root, order, False, *nothing)
    return Pool(root, order, True, collection, lineage)


def read_if_built(root: Path, artifact: str, columns: list[str], **keys: str) -> pa.Table | None:
    """Return these columns of an artifact, or None if there is no such file."""
    path = root / ARTIFACTS[artifact].at(**keys)
    return read_arrow(path, columns) if path.exists() else None


def find(root: Path, artifact: str, row_id: str, columns: list[str], **keys: str) -> dict[str, Any] | None:
    """Return the row of an artifact with this id, or None if there is none or no such file."""
    path = root / ARTIFACTS[artifact].at(**keys)
    rows = read_arrow(path, columns, row_id).to_pylist() if path.exists() else []
    return rows[0] if rows else None


def with_id(table: pa.Table, row_id: str) -> list[dict[str, Any]]:
    """Return the rows of a table with this id."""
    return _take(table, np.flatnonzero(pc.equal(table["id"], row_id)))


def dropped(pool: Pool, row_id: str) -> dict[str, Any] | None:
    """Return the line that says why the first row of this id went, or None; the lines of its copies only say that."""
    lines = [line for line in with_id(pool.lineage, row_id) if line["reason"] != EXACT_DUPLICATE]
    return lines[0] if lines else None


def places(pool: Pool, row_id: str) -> Iterator[Place]:
    """Yield where the question was collected, in the order of the sources; of exact duplicates the first went on.

    Sources that the tables name and params.yaml does not, any more, come last. A source is read when its turn comes.
    """
    kept = with_id(pool.collection, row_id)
    lines = np.flatnonzero(pc.equal(pool.lineage["id"], row_id))
    sources = {row["source"] for row in kept} | set(pool.lineage["source"].take(pa.array(lines)).to_pylist())
    order = [name for name in pool.order if name in sources or not pool.deduplicated]
    for source in [*order, *sorted(sources - set(order))]:
        raw = read_if_built(pool.root, "raw", ["question", "source_id"], source=source)
        rows = [] if raw is None else _take(raw, _numbers(pool, source, raw, row_id, lines))
        rows = [row for row in rows if question_id(row["question"]) == row_id]  # data/raw may have changed since
        yield from (Place(source, row["source_id"], row["question"]) for row in rows)
        if pool.deduplicated and not rows:
            yield Place(source, None, kept[0]["question"] if kept else None)


def _numbers(pool: Pool, source: str, raw: pa.Table, row_id: str, lines: Numbers) -> Numbers:
    """Return which rows of a source's `raw` have this id, going by its `lines` of the lineage.

    A kept row is the first with its text; all others were dropped, and the lineage has them in their order.
    """
    if not pool.deduplicated:
        return np.array([n for n, text in enumerate(raw["question"].to_pylist()) if question_id(text) == row_id], int)
    kept = pool.collection.filter(pc.equal(pool.collection["source"], source))
    text_of = pc.index_in(raw["question"], value_set=kept["question"].combine_chunks()).fill_null(-1).to_numpy()
    texts, firsts = np.unique(text_of, return_index=True)
    wanted = np.flatnonzero(pc.equal(kept["id"], row_id))
    went = np.ones(raw.num_rows, dtype=bool)
    went[firsts[texts >= 0]] = False
    ranks = np.flatnonzero(np.isin(np.flatnonzero(pc.equal(pool.lineage["source"], source)), lines))
    of_lines = np.flatnonzero(went)[ranks[ranks < went.sum()]]
    return np.sort(np.concatenate([firsts[np.isin(texts, wanted)], of_lines]))


def _take(table: pa.Table, numbers: Numbers) -> list[dict[str, Any]]:
    return table.take(pa.array(numbers, type=pa.int64())).to_pylist()


def prompt_text(root: Path, name: str) -> str | None:
    """Return the text of BENCHMARK:prompt_id, or None if the benchmark is not here."""
    benchmark, _, prompt_id = name.partition(":")
    for path in sorted((root / "data/benchmarks").glob(f"*/{benchmark}.parquet")):
        table = read_arrow(path, ["prompt_id", "prompt"])
        for prompt in table.filter(pc.equal(table["prompt_id"], prompt_id))["prompt"].to_pylist():
            return str(prompt)
    return None
