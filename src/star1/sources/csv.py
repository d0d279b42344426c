"""Reader csv: tables as text, one record a row. No value is guessed: "NA" and "None" stay texts."""

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from star1.errors import UserError
from star1.sources.entries import Entry
from star1.sources.files import local_files, opened
from star1.sources.values import TWICE


def records(entry: Entry, key: str, root: Path) -> Iterator[tuple[str, object]]:
    """Yield (row's name, {column: text}) for each row of the entry's files."""
    for label, path in local_files(entry, key, root):
        yield from parse(path, label, entry, key)


def parse(path: Path, label: str, entry: Entry, key: str) -> Iterator[tuple[str, object]]:
    """Yield the rows of one file, named `label` and their number from 0; empty lines do not count.

    Raises UserError for a row of another width than the first one, for a quote that is never closed, and for one that
    is closed within a value: read leniently, it would swallow the rows up to the next quote.
    """
    csv.field_size_limit(sys.maxsize)  # the default, 128 KiB, would refuse the file for one long question
    columns: list[str] | None = None
    twice: dict[str, object] = {}
    number = whole = 0
    with opened(path, f"{key}.path") as file:
        rows = csv.reader(file, delimiter=entry.delimiter, strict=True)
        try:
            for row in rows:
                whole = rows.line_num
                if columns is None:
                    columns = row if entry.header else [str(column) for column in range(len(row))]
                    twice = {name: TWICE for name, count in Counter(columns).items() if count > 1}
                    if entry.header:
                        continue
                if row and len(row) != len(columns):
                    raise UserError(
                        f"{key}.path: {path}, line {rows.line_num}: {len(row)} values for {len(columns)} columns. "
                        f"Check delimiter ({entry.delimiter!r}), and that the file is whole."
                    )
                if row:
                    yield f"{label}{number}", dict(zip(columns, row, strict=True)) | twice
                    number += 1
        except csv.Error as error:
            why = f"{error} (the row begins in line {whole + 1}; is a quote never closed, or is the file cut off?)"
            raise UserError(f"{key}.path: {path}, line {rows.line_num}: {why}.") from None
