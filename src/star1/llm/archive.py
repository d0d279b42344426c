"""The response store as an archive for `dvc add`: 256 files by the first two digits of the key.

A file depends on its rows alone (sorted, no clock, fixed compression), so after one more row 255 files are as they
were, and `dvc push` sends one.
"""

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from star1.errors import UserError
from star1.files import atomic
from star1.llm.requests import Request
from star1.llm.store import Remembered, Store, remembered

SHARDS = [f"{number:02x}" for number in range(256)]
LEVEL = 6  # of gzip; another level would change every byte


def pack(store: Store, folder: Path) -> tuple[int, int]:
    """Add the store's rows to the archive; return the rows it then has and how many of its files had to change.

    Rows that only the archive has stay, and so do its replies where the store has but a refusal. Raises UserError if
    `folder` is a file, if DVC tracks an archive of that name which is not here, or if a file of it is damaged.
    """
    tracked = folder.with_name(f"{folder.name}.dvc")
    if tracked.exists() and not folder.exists():
        raise UserError(f"{folder}: {tracked.name} names an archive that is not here; run `dvc pull {tracked}` first.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UserError(f"{folder}: not a folder; name the folder that the archive goes to.") from None
    count = changed = 0
    for prefix in SHARDS:
        path = folder / f"{prefix}.jsonl.gz"
        before = path.read_bytes() if path.exists() else None
        rows = {} if before is None else {row.key: row for row in _rows(path, before)}
        for row in store.rows(prefix):
            if row.key not in rows or not _refused(row) or _refused(rows[row.key]):
                rows[row.key] = row
        count += len(rows)
        lines = [_line(rows[key]) for key in sorted(rows)]
        content = gzip.compress("".join(lines).encode("utf-8", "surrogatepass"), LEVEL, mtime=0) if lines else None
        if content is None or content == before:
            continue
        changed += 1
        with atomic(path) as temporary:
            temporary.write_bytes(content)
    return count, changed


def unpack(store: Store, folder: Path) -> tuple[int, int]:
    """Add the archive's rows to the store, whole files at a time; return its rows and how many were new.

    The store's own rows stay, but for a refusal that the archive has a reply for: that reply counts as new.
    Raises UserError for a file that is damaged, or whose rows are not what their keys say.
    """
    paths = sorted(folder.glob("*.jsonl.gz"))
    if not paths:
        raise UserError(f"{folder}: no archive of responses; `dvc pull` fetches one, `star1 responses pack` makes one.")
    count = new = 0
    for path in paths:
        rows = _rows(path, path.read_bytes())
        count += len(rows)
        refused = {row.key for row in store.rows(path.name[:2]) if _refused(row)}
        new += store.put_many([row for row in rows if row.key in refused and not _refused(row)], replace=True)
        new += store.put_many(rows)
    return count, new


def _rows(path: Path, content: bytes) -> list[Remembered]:
    """Return the rows of one file of the archive."""
    mend = f"`dvc checkout --force {path.parent}` restores it; without a copy in DVC, delete it and pack again"
    try:
        rows = [_row(line) for line in gzip.decompress(content).splitlines()]
    except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError, AttributeError):
        raise UserError(f"{path}: damaged. {mend}.") from None
    if not rows:
        raise UserError(f"{path}: empty. {mend}.")
    return rows


def _refused(row: Remembered) -> bool:
    """Return whether the row's reply is an error: another user may have paid for a reply to the same request."""
    return "choices" not in json.loads(zlib.decompress(row.reply))


def _line(row: Remembered) -> str:
    whole = {
        "key": row.key,
        "role": row.role,
        "stage": row.stage,
        "request": json.loads(zlib.decompress(row.request)),
        "reply": json.loads(zlib.decompress(row.reply)),
    }
    return json.dumps(whole, sort_keys=True) + "\n"


def _row(line: bytes) -> Remembered:
    whole: dict[str, Any] = json.loads(line)
    body = whole["request"]
    row = remembered(
        Request(whole["role"], body.pop("endpoint"), body, body.pop("keyed")), whole["reply"], whole["stage"]
    )
    if row.key != whole["key"]:
        raise ValueError("the key is not that of the request")
    return row


def stats(store: Store, price: Callable[[str, int, int], float]) -> str:
    """Return a table of the store's replies, by role and model; `price` gives the dollars of a role's tokens."""
    lines = [f"{'role':12}{'model':46}{'replies':>9}{'prompt tokens':>15}{'reply tokens':>14}{'dollars':>10}{'MiB':>8}"]
    for role, model, replies, prompt, reply, size in store.models():
        usd = price(role, prompt, reply)
        lines.append(
            f"{role:12}{model[:45]:46}{replies:>9,}{prompt:>15,}{reply:>14,}{usd:>10,.2f}{size / 2**20:>8,.1f}"
        )
    return "\n".join(lines)
