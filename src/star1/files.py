"""Files on disk: written whole or not at all, their hashes, and YAML."""

import copy
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

TEMPORARY = ".tmp"


def write_text(path: Path, text: str) -> None:
    """Write a text to `path`, whole or not at all."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON with a final newline, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def file_md5(path: Path) -> str:
    """Return the MD5 of a file, under which DVC keeps it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def parse_yaml(text: bytes) -> Any:
    """Return YAML as plain mappings and lists, read as DVC reads it. Raises ruamel's YAMLError.

    A process parses the same bytes once: params.yaml takes 0.1 CPU seconds, and `star1 estimate` reads it 18 times.
    """
    return copy.deepcopy(_parsed(text))


@lru_cache(maxsize=8)
def _parsed(text: bytes) -> Any:
    return YAML(typ="safe").load(BytesIO(text))  # an error in bytes would quote them, over several lines


def settle(folder: Path) -> None:
    """Bring a folder's files to the disk: renamed after that, it is found whole behind a power cut too."""
    for path in [*folder.rglob("*"), folder]:
        opened = os.open(path, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside `path`; put it in place when the block ends well, remove it when it does not.

    A killed process leaves it. Its suffix is in .dvcignore and .gitignore, so that no hash of a folder counts it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=TEMPORARY)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
