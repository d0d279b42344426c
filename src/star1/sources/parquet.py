"""Reader parquet: tables of Arrow columns, one record a row."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from star1.errors import UserError
from star1.sources.entries import Entry
from star1.sources.files import local_files
from star1.sources.values import TWICE, Unreadable

if TYPE_CHECKING:
    import pyarrow as pa

# What Arrow raises for a date that Python does not reach, for two fields of one name, for text that is not UTF-8.
UNREADABLE = (ValueError, OverflowError, KeyError)


def records(entry: Entry, key: str, root: Path) -> Iterator[tuple[str, object]]:
    """Yield (row's name, {column: value}) for each row of the entry's files."""
    for label, path in local_files(entry, key, root):
        yield from parse(path, label, entry, key)


def parse(path: Path, label: str, entry: Entry, key: str) -> Iterator[tuple[str, object]]:
    """Yield the rows of one file, named `label` and their number from 0."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=10_000):
                names = batch.schema.names
                twice = {name: TWICE for name, count in Counter(names).items() if count > 1}
                for row in zip(*map(_values, batch.columns), strict=True):
                    yield f"{label}{number}", dict(zip(names, row, strict=True)) | twice
                    number += 1
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{key}.path: {path} is damaged ({str(error).splitlines()[0]}). Fetch it again.") from None


def _values(column: "pa.Array") -> list[object]:
    """Return a column as Python values; those that Python cannot hold, such as the year 20000, as Unreadable."""
    try:
        return list(column.to_pylist())
    except UNREADABLE:
        return [_value(each) for each in column]


def _value(value: "pa.Scalar") -> object:
    import pyarrow as pa

    try:
        if pa.types.is_string(value.type) and value.is_valid:  # bytes that are not UTF-8 as files.opened has them
            return value.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")
        return value.as_py()
    except UNREADABLE as error:
        return Unreadable(f"cannot be read as {value.type} ({error})")
