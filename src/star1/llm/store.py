"""Responses, remembered by the hash of the exact request: what was paid for once is never asked again.

An SQLite database in write-ahead mode: several processes may use it at once, and a kill at any moment leaves every
committed reply whole. It lives under the main repository (DVC_ROOT), because `dvc exp run --temp` works in a copy.

A process that is about to send a request claims it first, so that no other one sends it too. A claim is good for as
long as its owner holds a lock on a file, which the kernel lets go when the owner dies, however it dies: no clock, no
time-out to wait for, no claim taken from a process that is merely slow.
"""

import fcntl
import json
import os
import sqlite3
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

from star1.errors import UserError
from star1.llm.requests import Request
from star1.llm.tokens import tokens

_TABLES = """
CREATE TABLE IF NOT EXISTS replies (
  key TEXT PRIMARY KEY, role TEXT NOT NULL, model TEXT NOT NULL, stage TEXT NOT NULL, prompt_chars INTEGER NOT NULL,
  prompt_tokens INTEGER NOT NULL, reply_tokens INTEGER NOT NULL, request BLOB NOT NULL, reply BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS claims (key TEXT PRIMARY KEY, owner TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
  name TEXT PRIMARY KEY, role TEXT NOT NULL, endpoint TEXT NOT NULL, batch_id TEXT, keys BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spending (pid INTEGER, started REAL, usd REAL NOT NULL, PRIMARY KEY (pid, started));
"""
# Keys a query. Few, so that the objects made of its replies die young: at 500 of them Python's collector of cycles
# took a quarter of the time that remembered rows take, going through all modules over and over.
AT_ONCE = 32


@dataclass(frozen=True)
class Remembered:
    """A row of the store: the request's body and the whole reply, both as compressed JSON, and what stats need."""

    key: str
    role: str
    model: str
    stage: str
    prompt_chars: int
    prompt_tokens: int
    reply_tokens: int
    request: bytes
    reply: bytes


@dataclass(frozen=True)
class Usage:
    """What stored replies took, summed: rows, characters and tokens of their prompts, tokens of the replies."""

    replies: int
    prompt_chars: int
    prompt_tokens: int
    reply_tokens: int


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; the kernel lets it go when the process dies."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


class Store:
    """A mapping from request to the whole reply, on disk. Raises UserError where the database or the disk is broken."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "responses.sqlite"
        self._owner, self._held = uuid.uuid4().hex, None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._locks = folder / "owners"
            self._locks.mkdir(exist_ok=True)
        except OSError as error:
            raise UserError(f"{folder}: cannot keep responses here ({error.strerror}).") from None
        # One at a time: SQLite does not wait for another process that makes the same new database write-ahead.
        with self._user_errors(), _alone(self._locks):
            self._database = sqlite3.connect(self.path, timeout=60, isolation_level=None)
            self._database.execute("PRAGMA journal_mode=WAL")
            # Every commit survives a kill; after a power cut the last ones may be missing, never torn.
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.executescript(_TABLES)

    _held: IO[str] | None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _user_errors(self) -> Iterator[None]:
        """Turn an error of SQLite into a UserError with the store's path and what to do."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if "full" in str(error) or "readonly" in str(error) or "locked" in str(error):
                raise UserError(
                    f"{self.path}: cannot be written ({error}); what is in it stays, mend that and run again."
                ) from None
            raise UserError(
                f"{self.path}: not a usable response store ({error}). Move it away or restore it."
            ) from None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the database inside a transaction that no other process can write between."""
        with self._user_errors():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")

    def get(self, request: Request) -> dict[str, Any] | None:
        """Return the remembered reply, or None."""
        return self.get_many([request]).get(request.key)

    def get_many(self, requests: Sequence[Request]) -> dict[str, dict[str, Any]]:
        """Return the remembered replies by key. Raises UserError for a reply that is damaged."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(requests), AT_ONCE):
            keys = [request.key for request in requests[start : start + AT_ONCE]]
            query = f"SELECT key, reply FROM replies WHERE key IN ({','.join('?' * len(keys))})"
            with self._user_errors():
                rows = self._database.execute(query, keys).fetchall()
            found |= {key: self._unpacked(key, packed) for key, packed in rows}
        return found

    def _unpacked(self, key: str, packed: bytes) -> dict[str, Any]:
        try:
            reply: dict[str, Any] = json.loads(zlib.decompress(packed))
        except (zlib.error, ValueError):
            raise UserError(f"{self.path}: the reply {key[:16]} is damaged. Restore the store from a copy.") from None
        return reply

    def put(self, request: Request, reply: dict[str, Any], stage: str = "", replace: bool = False) -> None:
        """Remember a reply and give its claim back; on return it is on disk.

        A reply that is already there stays, unless `replace`.
        """
        self.put_many([remembered(request, reply, stage)], replace)

    def put_many(self, rows: Iterable[Remembered], replace: bool = False) -> int:
        """Remember rows, all or none, and return how many of them were new."""
        verb = "REPLACE" if replace else "IGNORE"
        with self.transaction() as database:
            before = database.total_changes
            database.executemany(
                f"INSERT OR {verb} INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", map(_values, rows := list(rows))
            )
            new = database.total_changes - before
            database.executemany("DELETE FROM claims WHERE key = ?", ((row.key,) for row in rows))
        return new

    def claim(self, key: str, again: bool = False) -> bool:
        """Take the right to send a request; False if another owner has it, or if its reply is there and not `again`."""
        self._hold()
        free = "SELECT ?, ?" if again else "SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM replies WHERE key = ?1)"
        with self._user_errors():
            taken = self._database.execute(f"INSERT OR IGNORE INTO claims {free}", (key, self._owner)).rowcount
            if taken == 1:
                return True
            row = self._database.execute("SELECT owner FROM claims WHERE key = ?", (key,)).fetchone()
            if row is None or row[0] == self._owner or self._alive(row[0]):
                return False
            taken = self._database.execute(
                "UPDATE claims SET owner = ? WHERE key = ? AND owner = ?", (self._owner, key, row[0])
            ).rowcount
        return taken == 1

    def release(self, key: str) -> None:
        """Give a claim back without a reply."""
        with self._user_errors():
            self._database.execute("DELETE FROM claims WHERE key = ? AND owner = ?", (key, self._owner))

    def drop_error(self, key: str) -> None:
        """Drop what is remembered of a request if it is an error, which took no tokens."""
        with self._user_errors():
            self._database.execute("DELETE FROM replies WHERE key = ? AND prompt_tokens = 0", (key,))

    def _hold(self) -> None:
        if self._held is None:
            self._held = (self._locks / self._owner).open("w")
            fcntl.flock(self._held, fcntl.LOCK_EX)

    def _alive(self, owner: str) -> bool:
        try:
            with (self._locks / owner).open() as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
                (self._locks / owner).unlink(missing_ok=True)  # its owner is gone
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def answered(self, role: str, model: str) -> Iterator[dict[str, Any]]:
        """Yield the body, with endpoint and keyed, of each request to a role's model that has had a reply."""
        query = "SELECT key, request FROM replies WHERE role = ? AND model = ? AND reply_tokens > 0"
        with self._user_errors():
            for key, packed in self._database.execute(query, (role, model)):
                yield self._unpacked(key, packed)

    def usage(self, where: str = "1", values: Sequence[str] = ()) -> Usage:
        """Return what the stored replies that fit an SQL condition took."""
        query = "SELECT COUNT(*), SUM(prompt_chars), SUM(prompt_tokens), SUM(reply_tokens) FROM replies"
        with self._user_errors():
            row = self._database.execute(f"{query} WHERE reply_tokens > 0 AND {where}", values).fetchone()
        return Usage(*(value or 0 for value in row))

    def pay(self, pid: int, started: float, usd: float) -> None:
        """Note dollars that the run of that process (its pid, and when it began) has spent."""
        with self._user_errors():
            self._database.execute(
                "INSERT INTO spending VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET usd = usd + excluded.usd",
                (pid, started, usd),
            )

    def spent_usd(self, pid: int, started: float) -> float:
        """Return the dollars noted for a run; a clock that was set moves `started` a little, another run by more."""
        query = "SELECT TOTAL(usd) FROM spending WHERE pid = ? AND ABS(started - ?) < 60"
        with self._user_errors():
            return float(self._database.execute(query, (pid, started)).fetchone()[0])

    def models(self) -> list[tuple[str, str, int, int, int, int]]:
        """Return (role, model, replies, prompt tokens, reply tokens, bytes) for each model that has replied."""
        with self._user_errors():
            return self._database.execute(
                "SELECT role, model, COUNT(*), SUM(prompt_tokens), SUM(reply_tokens), SUM(LENGTH(request) +"
                " LENGTH(reply)) FROM replies GROUP BY role, model ORDER BY role, model"
            ).fetchall()

    def rows(self, prefix: str = "") -> Iterator[Remembered]:
        """Yield the rows whose key begins with `prefix`, sorted by key."""
        with self._user_errors():
            cursor = self._database.execute(
                "SELECT * FROM replies WHERE key >= ? AND key < ? ORDER BY key", (prefix, prefix + "g")
            )
            for row in cursor:
                yield Remembered(*row)

    def forget(self, needed: Callable[[str], bool], really: bool) -> tuple[int, int]:
        """Drop the replies whose key is not `needed` if `really`; return how many these are, and their bytes."""
        with self.transaction() as database:
            sizes = database.execute("SELECT key, LENGTH(request) + LENGTH(reply) FROM replies").fetchall()
            dropped = [(key, size) for key, size in sizes if not needed(key)]
            if really:
                database.executemany("DELETE FROM replies WHERE key = ?", ((key,) for key, _ in dropped))
        if really:
            with self._user_errors():
                self._database.execute("VACUUM")
        return len(dropped), sum(size for _, size in dropped)

    def __len__(self) -> int:
        with self._user_errors():
            return int(self._database.execute("SELECT COUNT(*) FROM replies").fetchone()[0])

    def close(self) -> None:
        """Close the database and let go of all claims."""
        self._database.close()
        if self._held is not None:
            os.unlink(self._held.name)
            self._held.close()
            self._held = None


def _values(row: Remembered) -> tuple[Any, ...]:
    return tuple(vars(row).values())


def remembered(request: Request, reply: dict[str, Any], stage: str = "") -> Remembered:
    """Return a request and its reply as the store keeps them."""
    body = {**request.body, "endpoint": request.endpoint, "keyed": request.keyed}
    chars = request.chars
    counted = tokens(reply, chars)
    return Remembered(request.key, request.role, body["model"], stage, chars, *counted, _packed(body), _packed(reply))


def _packed(value: dict[str, Any]) -> bytes:
    return zlib.compress(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"), 3)
