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

from star1.artifacts import atomic
from star1.errors import UserError
from star1.llm.requests import Request
from star1.llm.store import Remembered, Store, remembered

SHARDS = [f"{number:02x}" for number in range(256)]
LEVEL = 6  # of gzip; another level would change every byte


def pack(store: Store, folder: Path) -> tuple[int, int]:
    """Write the archive; return its rows and how many of its files had to change."""
    folder.mkdir(parents=True, exist_ok=True)
    count = changed = 0
    for prefix in SHARDS:
        path = folder / f"{prefix}.jsonl.gz"
        lines = [_line(row) for row in store.rows(prefix)]
        count += len(lines)
        content = gzip.compress("".join(lines).encode("utf-8", "surrogatepass"), LEVEL, mtime=0) if lines else None
        if content == (path.read_bytes() if path.exists() else None):
            continue
        changed += 1
        if content is None:
            path.unlink()
            continue
        with atomic(path) as temporary:
            temporary.write_bytes(content)
    return count, changed


def unpack(store: Store, folder: Path) -> tuple[int, int]:
    """Add the archive's rows to the store, whole files at a time; return its rows and how many were new.

    Raises UserError for a file that is damaged, or whose rows are not what their keys say.
    """
    paths = sorted(folder.glob("*.jsonl.gz"))
    if not paths:
        raise UserError(f"{folder}: no archive of responses; `dvc pull` fetches one, `star1 responses pack` makes one.")
    count = new = 0
    for path in paths:
        try:
            rows = [_row(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
        except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError, AttributeError):
            raise UserError(f"{path}: damaged. Fetch it anew with `dvc pull`, or pack again.") from None
        if not rows:
            raise UserError(f"{path}: empty. Fetch it anew with `dvc pull`, or pack again.")
        count += len(rows)
        new += store.put_many(rows)
    return count, new


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
