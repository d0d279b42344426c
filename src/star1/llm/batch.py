"""Batch mode: OpenAI's Batch API answers within a day, at half the price.

A batch is written down before anything is sent, under a name of its own that travels with it as metadata. So after a
crash in any phase the next run finds it, at the endpoint if need be, and none is submitted twice. What an expired
batch had finished is kept; the rest is asked for again.

Requests and replies go through files, each as large as a batch may be; in memory is only a key for each row.
"""

import asyncio
import json
import tempfile
import zlib
from collections.abc import Callable, Iterator
from sqlite3 import Connection
from typing import IO, TYPE_CHECKING, Any, TypeVar

import httpx2
import openai

from star1.errors import UserError
from star1.llm import batch_files
from star1.llm.client import KEPT, connect, what_to_mend
from star1.llm.requests import Request
from star1.llm.talk import Talk

if TYPE_CHECKING:
    from star1.llm.sending import Sender

T = TypeVar("T")
OVER = ("completed", "expired", "cancelled", "failed")


async def run(
    sender: "Sender", talk: Callable[[str], Talk[T]], row_ids: list[str], over: Callable[[Talk[T]], None]
) -> None:
    """Lead each row's talk to its end, a round of batches for each turn. Raises UserError where that leads nowhere."""
    fruitless = 0
    async with connect(sender.role, sender.teacher, sender.endpoint) as plain:
        client = plain.with_options(max_retries=sender.endpoint.retries, timeout=sender.endpoint.timeout_s)
        try:
            batch_files.folder(sender.store).mkdir(exist_ok=True)
            _tidy(sender)
            waiting = {each.row_id: each.request.key for each in _going_on(sender, talk, row_ids, over)}
            while waiting:
                got = await _finish_open(sender, client, set(waiting.values()))
                before, waiting = len(waiting), _write_down(sender, _going_on(sender, talk, list(waiting), over))
                fruitless = 0 if got or len(waiting) < before else fruitless + 1
                if fruitless > sender.endpoint.retries + 1:
                    raise UserError(f"{sender.role}: {fruitless} batches ended without a reply; {KEPT}.")
        except openai.APIStatusError as error:
            raise what_to_mend(client, sender.role, sender.model, error, sender.endpoint) from None
        except (openai.APIConnectionError, httpx2.TransportError):
            raise UserError(f"{sender.role}: no connection to {client.base_url}; {KEPT}.") from None


def _going_on(
    sender: "Sender", talk: Callable[[str], Talk[T]], row_ids: list[str], over: Callable[[Talk[T]], None]
) -> Iterator[Talk[T]]:
    """Let each row's talk hear what is remembered by now; yield those that are not over, one at a time."""
    for row_id in row_ids:
        each, ended = talk(row_id), False
        while not ended and each.request.key not in sender.again:
            reply = sender.refused.get(each.request.key) or sender.store.get(each.request)
            if reply is None:
                break
            ended = each.hear(reply)
        if ended:
            over(each)
        else:
            yield each


def _write_down(sender: "Sender", talks: Iterator[Talk[T]]) -> dict[str, str]:
    """Note batches for the requests that no open batch holds, as far as the budget goes; return each row's key."""
    with sender.store.transaction() as database:
        taken = _taken(database, sender)
    waiting: dict[str, str] = {}
    batches = batch_files.write(sender.store, _affordable(sender, talks, waiting, taken))
    with sender.store.transaction() as database:
        meanwhile = _taken(database, sender)  # another process writes down its own
        for name, keys in batches.items():
            if meanwhile.isdisjoint(keys):
                packed = zlib.compress(json.dumps(keys).encode())
                database.execute(
                    "INSERT INTO batches VALUES (?, ?, ?, NULL, ?)",
                    (name, sender.role, sender.teacher.base_url, packed),
                )
    for name in batches:
        sender.store.release(name)
    _tidy(sender)
    return waiting


def _affordable(
    sender: "Sender", talks: Iterator[Talk[T]], waiting: dict[str, str], taken: set[str]
) -> Iterator[Request]:
    """Note all talks in `waiting`; yield the requests that are to be sent, as far as the budget goes, into `taken`.

    Raises UserError if it goes for none, and no batch is open either.
    """
    left, short = sender.budget.left_usd, 0.0
    for each in talks:
        waiting[each.row_id] = each.request.key
        if each.request.key in taken:
            continue
        most = sender.rates.most_usd(each.request)
        left -= most
        if left >= 0:
            taken.add(each.request.key)
            yield each.request
        else:
            short = short or most
    if short and not taken:
        raise sender.budget.reached(short)


def _taken(database: Connection, sender: "Sender") -> set[str]:
    """Return the keys that open batches hold."""
    url = sender.teacher.base_url
    rows = database.execute("SELECT keys FROM batches WHERE role = ? AND endpoint = ?", (sender.role, url))
    return {key for (packed,) in rows for key in json.loads(zlib.decompress(packed))}


def _tidy(sender: "Sender") -> None:
    """Remove the files of batches that are not written down, unless a living process is about to."""
    for path in batch_files.folder(sender.store).glob("*.jsonl"):
        if sender.store.claim(path.stem):
            if not _noted_batch(sender, path.stem):
                path.unlink(missing_ok=True)
            sender.store.release(path.stem)


async def _finish_open(sender: "Sender", client: openai.AsyncOpenAI, wanted: set[str]) -> int:
    """Bring every open batch of this role to its end; return how many replies came."""
    with sender.store.transaction() as database:
        batches = database.execute(
            "SELECT name, keys FROM batches WHERE role = ? AND endpoint = ? ORDER BY name",
            (sender.role, sender.teacher.base_url),
        ).fetchall()
    keys = {name: json.loads(zlib.decompress(packed)) for name, packed in batches}
    ids = {name: await _submitted(sender, client, name, keys[name], wanted) for name in keys}
    got = 0
    for name, batch_id in ids.items():
        if batch_id is not None:
            got += await _fetched(sender, client, await _ended(sender, client, batch_id), name, keys[name])
        _forget(sender, name)
    return got


async def _submitted(
    sender: "Sender", client: openai.AsyncOpenAI, name: str, keys: list[str], wanted: set[str]
) -> str | None:
    """Return the id of a written-down batch, submitting it where that has not been done; None if it is not wanted."""
    while not sender.store.claim(name):  # another process is about to submit it
        await asyncio.sleep(0.1)
    try:
        noted = _noted_batch(sender, name)
        known = noted[0] if noted and noted[0] else await _at_endpoint(client, name)
        if known is None and wanted.issuperset(keys) and batch_files.path(sender.store, name).exists():
            with batch_files.path(sender.store, name).open("rb") as content:
                file = await client.files.create(file=(f"{name}.jsonl", content), purpose="batch")
            # Not retried by the client: a lost reply to this one would make a second batch. The next run looks for it.
            made = await client.with_options(max_retries=0).batches.create(
                input_file_id=file.id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={"star1": name},
            )
            known = made.id
            print(f"{sender.stage}: batch {known} of {len(keys):,} requests is submitted", flush=True)
        if known is not None:
            with sender.store.transaction() as database:
                database.execute("UPDATE batches SET batch_id = ? WHERE name = ?", (known, name))
    finally:
        sender.store.release(name)
    return known


def _noted_batch(sender: "Sender", name: str) -> tuple[str | None] | None:
    """Return the batch's id at the endpoint, as far as noted; None if the batch is not written down."""
    with sender.store.transaction() as database:
        row: tuple[str | None] | None = database.execute(
            "SELECT batch_id FROM batches WHERE name = ?", (name,)
        ).fetchone()
    return row


async def _at_endpoint(client: openai.AsyncOpenAI, name: str) -> str | None:
    """Return the id of the batch that carries this name, submitted by a run that did not live to note it."""
    async for batch in client.batches.list(limit=100):
        if (batch.metadata or {}).get("star1") == name:
            return batch.id
    return None


async def _ended(sender: "Sender", client: openai.AsyncOpenAI, batch_id: str) -> Any:
    while (batch := await client.batches.retrieve(batch_id)).status not in OVER:
        await asyncio.sleep(sender.sending.batch_poll_s)
    return batch


async def _fetched(sender: "Sender", client: openai.AsyncOpenAI, batch: Any, name: str, keys: list[str]) -> int:
    """Remember the replies of a batch that ended; return how many came. Raises UserError if it failed as a whole.

    Rows of an earlier state of the pipeline are remembered too: they are paid for.
    """
    got = 0
    with await _asked(sender, client, batch, name) as requests:
        places = batch_files.places(requests, keys)
        for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
            with await _download(sender, client, file_id) as replies:
                for line in replies:
                    row = json.loads(line)
                    response = row.get("response") or {}
                    reply = sender.reply_of(response.get("status_code"), response.get("body"), client)
                    if reply is None or row["custom_id"] not in places:
                        continue
                    requests.seek(places[row["custom_id"]])
                    request = batch_files.request_of(sender.role, requests.readline(), row["custom_id"])
                    if request is not None:
                        await sender.budget.pay(0.0, reply, request)
                        sender.keep(request, reply)
                        got += 1
    if batch.status == "failed":
        codes = sorted({error.code or "unknown" for error in (batch.errors and batch.errors.data) or []})
        _forget(sender, name)
        raise UserError(f"{sender.role}: batch {batch.id} failed ({', '.join(codes)}); {KEPT}.")
    return got


async def _asked(sender: "Sender", client: openai.AsyncOpenAI, batch: Any, name: str) -> IO[bytes]:
    """Return the batch's requests, from the endpoint where the file is not here any more."""
    try:
        return batch_files.path(sender.store, name).open("rb")
    except FileNotFoundError:
        return await _download(sender, client, batch.input_file_id)


async def _download(sender: "Sender", client: openai.AsyncOpenAI, file_id: str) -> IO[bytes]:
    """Return a file of the endpoint as a file without a name, which is gone when it is closed."""
    file = tempfile.TemporaryFile(dir=batch_files.folder(sender.store))  # noqa: SIM115
    for left in reversed(range(sender.endpoint.retries + 1)):
        try:
            async with client.files.with_streaming_response.content(file_id) as content:
                async for block in content.iter_bytes():
                    file.write(block)
            break
        except httpx2.TransportError:
            if not left:
                raise
            file.truncate(file.seek(0))
    file.seek(0)
    return file


def _forget(sender: "Sender", name: str) -> None:
    with sender.store.transaction() as database:
        database.execute("DELETE FROM batches WHERE name = ?", (name,))
    batch_files.path(sender.store, name).unlink(missing_ok=True)
