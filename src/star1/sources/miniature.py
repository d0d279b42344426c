"""Reader miniature: the questions and benchmarks of the miniature world, made by its grammar. `path` is its folder."""

from collections.abc import Iterator
from pathlib import Path

from star1.errors import UserError
from star1.miniature import world
from star1.sources.entries import BenchmarkEntry, Entry


def records(entry: Entry, key: str, root: Path) -> Iterator[tuple[str, object]]:
    """Yield (row's number, question) of a source, or (row's number, {prompt, answer, label, category}) of a benchmark.

    The last part of `key` is the name in the world. Raises UserError if the world has no such name or too few rows.
    """
    name = key.rpartition(".")[2]
    assert entry.rows is not None and entry.seed is not None  # the entry's own check
    make = world.benchmark if isinstance(entry, BenchmarkEntry) else world.questions
    try:
        made = list(make(name, entry.rows, entry.seed))
    except ValueError as error:
        raise UserError(f"{key}: {error}") from None
    yield from ((str(number), row) for number, row in enumerate(made))
