"""Reader text: a question a line."""

from collections.abc import Iterator
from pathlib import Path

from star1.sources.entries import Entry
from star1.sources.files import local_files, opened


def records(entry: Entry, key: str, root: Path) -> Iterator[tuple[str, object]]:
    """Yield (line's name, line) for each line of the entry's files without its end, empty ones too."""
    for label, path in local_files(entry, key, root):
        with opened(path, f"{key}.path") as file:
            yield from ((f"{label}{number}", line.rstrip("\r\n")) for number, line in enumerate(file))
