"""Batch mode: OpenAI's Batch API answers within a day, at half the price.

A batch is written down before anything is sent, under a name of its own that travels with it as metadata. So after a
crash in any phase the next run finds it, at the endpoint if need be, and none is submitted twice. What an expired
batch had finished is kept; the rest is asked for again.
"""

import asyncio
import json
import uuid
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import openai

from star1.errors import UserError
from star1.llm.client import KEPT, connect, what_to_mend
from star1.llm.requests import Request
from star1.llm.talk import Talk

if TYPE_CHECKING:
    from star1.llm.sending import Sender

T = TypeVar("T")
ROWS, BYTES = 50_000, 190_000_000  # of one batch; OpenAI allows 50,000 requests and 200 MB
OVER = ("completed", "expired", "cancelled", "failed")


async def run(sender: "Sender", talks: Iterator[Talk[T]], over: Callable[[Talk[T]], None]) -> None:
    """Lead each talk to its end, a round of batches for each turn. Raises UserError where that leads nowhere."""
    waiting, fruitless = list(talks), 0
    async with connect(sender.role, sender.teacher, sender.endpoint) as plain:
        client = plain.with_options(max_retries=sender.endpoint.retries, timeout=sender.endpoint.timeout_s)
        try:
            while True:
                got = await _finish_open(sender, client, {talk.request.key: talk.request for talk in waiting})
                before, waiting = len(waiting), [talk for talk in waiting if not _led_on(sender, talk, over)]
                if not waiting:
                    return
                fruitless = 0 if got or len(waiting) < before else fruitless + 1
                if fruitless > sender.endpoint.retries + 1:
                    raise UserError(f"{sender.role}: {fruitless} batches ended without a reply; {KEPT}.")
                _write_down(sender, [talk.request for talk in waiting])
        except openai.APIStatusError as error:
            raise what_to_mend(client, sender.role, sender.model, error, sender.endpoint) from None
        except openai.APIConnectionError:
            raise UserError(f"{sender.role}: no connection to {client.base_url}; {KEPT}.") from None


def _led_on(sender: "Sender", talk: Talk[T], over: Callable[[Talk[T]], None]) -> bool:
    """Let a talk hear what is remembered by now; True when it is over."""
    while talk.request.key not in sender.again:
        reply = sender.refused.get(talk.request.key) or sender.store.get(talk.request)
        if reply is None:
            return False
        if talk.hear(reply):
            over(talk)
            return True
    return False


def _write_down(sender: "Sender", requests: list[Request]) -> None:
    """Note batches for the requests that no open batch holds, as far as the budget goes."""
    url = sender.teacher.base_url
    with sender.store.transaction() as database:
        rows = database.execute("SELECT keys FROM batches WHERE role = ? AND endpoint = ?", (sender.role, url))
        taken = {key for (packed,) in rows for key in json.loads(zlib.decompress(packed))}
        batches: list[list[str]] = [[]]
        size, left = 0, sender.budget.left_usd
        for request in {request.key: request for request in requests if request.key not in taken}.values():
            length = len(_line(request))
            left -= sender.rates.most_usd(request)
            if left < 0:
                if not any(batches) and not taken:
                    raise sender.budget.reached(sender.rates.most_usd(request))
                break
            if len(batches[-1]) == ROWS or size + length > BYTES:
                batches.append([])
                size = 0
            batches[-1].append(request.key)
            size += length
        for keys in filter(None, batches):
            packed = zlib.compress(json.dumps(keys).encode())
            database.execute(
                "INSERT INTO batches VALUES (?, ?, ?, NULL, ?)", (uuid.uuid4().hex, sender.role, url, packed)
            )


def _line(request: Request) -> bytes:
    line = {"custom_id": request.key, "method": "POST", "url": "/v1/chat/completions", "body": request.body}
    return json.dumps(line).encode() + b"\n"


async def _finish_open(sender: "Sender", client: openai.AsyncOpenAI, requests: dict[str, Request]) -> int:
    """Bring every open batch of this role to its end; return how many replies came."""
    with sender.store.transaction() as database:
        names = database.execute(
            "SELECT name, batch_id, keys FROM batches WHERE role = ? AND endpoint = ? ORDER BY name",
            (sender.role, sender.teacher.base_url),
        ).fetchall()
    ids = [await _submitted(sender, client, name, known, packed, requests) for name, known, packed in names]
    got = 0
    for (name, _, _), batch_id in zip(names, ids, strict=True):
        if batch_id is not None:
            got += await _fetched(sender, client, await _ended(sender, client, batch_id), requests)
        _forget(sender, name)
    return got


async def _submitted(
    sender: "Sender",
    client: openai.AsyncOpenAI,
    name: str,
    batch_id: str | None,
    packed: bytes,
    requests: dict[str, Request],
) -> str | None:
    """Return the id of a written-down batch, submitting it where that has not been done; None if it is not wanted."""
    if batch_id is not None:
        return batch_id
    while not sender.store.claim(name):  # another process is about to submit it
        await asyncio.sleep(0.1)
    try:
        known = _noted_id(sender, name) or await _at_endpoint(client, name)
        keys = json.loads(zlib.decompress(packed))
        if known is None and all(key in requests for key in keys):
            content = b"".join(_line(requests[key]) for key in keys)
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


def _noted_id(sender: "Sender", name: str) -> str | None:
    with sender.store.transaction() as database:
        row = database.execute("SELECT batch_id FROM batches WHERE name = ?", (name,)).fetchone()
    return row[0] if row else None


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


async def _fetched(sender: "Sender", client: openai.AsyncOpenAI, batch: Any, requests: dict[str, Request]) -> int:
    """Remember the replies of a batch that ended; return how many came. Raises UserError if it failed as a whole."""
    got = 0
    for file_id in (batch.output_file_id, batch.error_file_id):
        if file_id is None:
            continue
        content = await client.files.content(file_id)
        for line in content.text.splitlines():
            row = json.loads(line)
            response = row.get("response") or {}
            request = requests.get(row["custom_id"])
            if request is None:  # of an earlier state of the pipeline: its body is in the batch's own input
                requests |= await _asked(sender, client, batch.input_file_id)
                request = requests.get(row["custom_id"])
            if request is None:  # asked again for a reason that only that state knew
                continue
            reply = sender.reply_of(response.get("status_code"), response.get("body"), client)
            if reply is not None:
                await sender.budget.pay(0.0, reply)
                sender.keep(request, reply)
                got += 1
    if batch.status == "failed":
        codes = sorted({error.code or "unknown" for error in (batch.errors and batch.errors.data) or []})
        _forget_id(sender, batch.id)
        raise UserError(f"{sender.role}: batch {batch.id} failed ({', '.join(codes)}); {KEPT}.")
    return got


async def _asked(sender: "Sender", client: openai.AsyncOpenAI, file_id: str) -> dict[str, Request]:
    content = await client.files.content(file_id)
    rows = (json.loads(line) for line in content.text.splitlines())
    found = {row["custom_id"]: Request(sender.role, row["body"]) for row in rows}
    return {key: request for key, request in found.items() if request.key == key}


def _forget(sender: "Sender", name: str) -> None:
    with sender.store.transaction() as database:
        database.execute("DELETE FROM batches WHERE name = ?", (name,))


def _forget_id(sender: "Sender", batch_id: str) -> None:
    with sender.store.transaction() as database:
        database.execute("DELETE FROM batches WHERE batch_id = ?", (batch_id,))
