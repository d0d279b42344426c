"""Reader parquet: tables of Arrow columns, one record a row."""

from collections.abc import Iterator
from pathlib import Path

from star1.errors import UserError
from star1.sources.entries import Entry
from star1.sources.files import local_files


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
                for row in batch.to_pylist():
                    yield f"{label}{number}", row
                    number += 1
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{key}.path: {path} is damaged ({str(error).splitlines()[0]}). Fetch it again.") from None
