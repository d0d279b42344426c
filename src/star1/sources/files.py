"""Finding, fetching and opening the files of an entry. Every fault of a file is one UserError that names the key."""

import codecs
import gzip
import hashlib
import http.client
import lzma
import os
import shutil
import string
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from star1.errors import UserError
from star1.files import atomic
from star1.pipeline.home import home
from star1.sources.entries import Entry

OPENERS = {".gz": gzip.open, ".xz": lzma.open}
TIMEOUT_S = 60
DAMAGED = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error, UnicodeDecodeError)
# By the file's first bytes; of UTF-32 first, whose mark begins like that of UTF-16.
MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What a file that is no text begins with, and what to do with it.
BINARY = {
    b"\x1f\x8b": "packed by gzip; let its name end in .gz",
    b"\xfd7zXZ\x00": "packed by xz; let its name end in .xz",
    b"PK\x03\x04": "a zip archive or a spreadsheet; unpack it, or save it as CSV",
    b"PAR1\x15": "a parquet file; read it with reader parquet",
}
CONTROL = bytes({*range(0x20)} - {*b"\t\n\v\f\r\x1b"})


def local_files(entry: Entry, key: str, root: Path) -> list[tuple[str, Path]]:
    """Return the entry's files with a label each: the file itself, or each url's copy, fetched if there is none.

    `key` is where the entry stands in params.yaml, such as "sources.ALERT"; `root` is the repository. The label, empty
    for a single file, tells several apart. Raises UserError if a file is missing, unreachable, or not the pinned one.
    """
    if entry.url:
        places = [_place(url) for url in entry.url]
        paths = [_copy(url, place, entry, key, root) for url, place in zip(entry.url, places, strict=True)]
    else:
        places = paths = [root / entry.path]
        if not paths[0].is_file():
            raise UserError(f"{key}.path: {entry.path} is not a file. Name an existing file, or put it there.")
    for path, digest in zip(paths, entry.sha256 or (), strict=False):
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            raise UserError(
                f"{key}.sha256: {path} has {found}, not {digest}. Restore the file, or pin the new one on purpose."
            )
    if len(paths) == 1:
        return [("", paths[0])]
    # By the URLs alone: the names of rows must not say which of the files this machine had in its mirror.
    common = os.path.commonpath([str(place.parent) for place in places])
    return [(f"{place.relative_to(common).as_posix()}:", path) for place, path in zip(places, paths, strict=True)]


def mirror(entry: Entry, root: Path) -> Path:
    """Return the entry's folder of copies, in the main repository: the one of `dvc exp run --temp` has no mirror."""
    return Path(os.environ.get("DVC_ROOT") or root) / entry.path


def copied(entry: Entry, root: Path) -> bool:
    """Say whether the entry's data set of the Hub lies in its folder of copies."""
    return (mirror(entry, root) / str(entry.dataset).replace("/", "__")).is_dir()


def _place(url: str) -> Path:
    """Return where a copy of a URL lies below a folder of copies."""
    parts = urllib.parse.urlsplit(url)
    place = Path(
        parts.netloc.replace(":", "_"), *(part for part in parts.path.split("/") if part not in ("", ".", ".."))
    )
    if parts.query:  # ?id=A and ?id=B are two files
        place = place.with_name(f"{hashlib.sha256(parts.query.encode()).hexdigest()[:8]}@{place.name}")
    return place


def _copy(url: str, place: Path, entry: Entry, key: str, root: Path) -> Path:
    mirrored = mirror(entry, root) / place
    if mirrored.is_file():
        return mirrored
    # Not into the mirror: that folder is an input of the stage, and a stage must not write its inputs.
    fetched = home() / "downloads" / place
    if not fetched.is_file():
        _fetch(url, fetched, f"{key}.url", mirrored)
    return fetched


def _fetch(url: str, target: Path, key: str, mirrored: Path) -> None:
    parts = urllib.parse.urlsplit(url)
    # As a browser does it with spaces and other letters than ASCII.
    path, query = (urllib.parse.quote(part, safe=string.punctuation) for part in (parts.path, parts.query))
    address = parts._replace(path=path, query=query).geturl()
    request = urllib.request.Request(address, headers={"User-Agent": "star1"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response, atomic(target) as temporary:
            with temporary.open("wb") as file:
                shutil.copyfileobj(response, file)
            wanted, got = response.headers.get("Content-Length"), temporary.stat().st_size
            if wanted is not None and int(wanted) != got:
                raise http.client.IncompleteRead(b"", int(wanted) - got)
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        raise UserError(f"{key}: cannot fetch {url}: {reason}. Try again, or put the file at {mirrored}.") from None


@contextmanager
def opened(path: Path, key: str) -> Iterator[TextIO]:
    """Open a text file, unpacked if it ends in .gz or .xz, for reading; UTF-8, or what its byte order mark says.

    Bytes that are not UTF-8 become lone surrogates, so that one bad row does not cost the file; see read.fault.
    Raises UserError if the file cannot be read to its end, is no text, or is UTF-16 without a mark.
    """
    opener = OPENERS.get(path.suffix, open)
    try:
        with opener(path, "rb") as start:  # type: ignore[operator]
            head = start.read(1000)
        encoding = next((name for mark, name in MARKS.items() if head.startswith(mark)), None)
        if encoding is None and (what := _no_text(head)):
            raise UserError(f"{key}: {path} is {what}.")
        errors = "surrogateescape" if encoding is None else "strict"
        with opener(path, "rt", encoding=encoding or "utf-8-sig", errors=errors, newline="") as file:  # type: ignore[operator]
            yield file
    except DAMAGED as error:
        raise UserError(f"{key}: {path} is damaged ({error}). Fetch it again.") from None
    except OSError as error:
        raise UserError(f"{key}: cannot read {path}: {error.strerror or error}.") from None


def _no_text(head: bytes) -> str | None:
    """Return what a file is that begins so, and what to do with it; None for text in UTF-8 or another byte encoding."""
    if known := next((what for mark, what in BINARY.items() if head.startswith(mark)), None):
        return known
    zeros = sorted((head[::2].count(0), head[1::2].count(0)))  # in UTF-16 one byte of two is 0 for most letters
    if zeros[1] > len(head) / 4 and zeros[0] < len(head) / 40:
        return "not UTF-8 but seems to be UTF-16. Save it as UTF-8"
    # Text in another encoding has no control characters, and text in UTF-8 may have any but for a long row of zeros.
    controls = len(head) - len(head.translate(None, CONTROL))
    undecodable = len(head) - len(head.decode("utf-8", "ignore").encode("utf-8")) > 3  # the last letter may be cut
    if controls > len(head) / 20 and (undecodable or sum(zeros) > len(head) / 4):
        return "no text but binary data; name a file that fits the reader"
    return None
