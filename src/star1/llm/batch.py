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
from star1.llm.endpoints.url import KEPT, client_for, what_to_mend
from star1.llm.keeping import Keeper
from star1.llm.requests import Request, endpoint_of
from star1.pipeline.fields import LOCAL

if TYPE_CHECKING:
    from star1.asking.conversation import Conversation

T = TypeVar("T")
if TYPE_CHECKING:
    Open = Callable[[str], Conversation[T]]  # a row's conversation by its id
    Done = Callable[[Conversation[T]], None]
OVER = ("completed", "expired", "cancelled", "failed")


async def run(keeper: Keeper, conversation: "Open[T]", row_ids: list[str], on_done: "Done[T]") -> None:
    """Lead each conversation to its end, a round of batches a turn. Raises UserError where that leads nowhere."""
    if keeper.teacher.base_url in LOCAL:
        raise UserError(
            f"sending.roles.{keeper.role}.mode: the {keeper.teacher.base_url} has no batches; set it to online."
        )
    fruitless = 0
    async with client_for(keeper.role, keeper.teacher, keeper.endpoint) as plain:
        client = plain.with_options(max_retries=keeper.endpoint.retries, timeout=keeper.endpoint.timeout_s)
        try:
            batch_files.folder(keeper.store).mkdir(exist_ok=True)
            _tidy(keeper)
            waiting = {each.row_id: each.request.key for each in _going_on(keeper, conversation, row_ids, on_done)}
            while waiting:
                got = await _finish_open(keeper, client, set(waiting.values()))
                before = len(waiting)
                waiting = _write_down(keeper, _going_on(keeper, conversation, list(waiting), on_done))
                fruitless = 0 if got or len(waiting) < before else fruitless + 1
                if fruitless > keeper.endpoint.retries + 1:
                    raise UserError(f"{keeper.role}: {fruitless} batches ended without a reply; {KEPT}.")
        except openai.APIStatusError as error:
            raise what_to_mend(client, keeper.role, keeper.model, error, keeper.endpoint) from None
        except (openai.APIConnectionError, httpx2.TransportError):
            raise UserError(f"{keeper.role}: no connection to {client.base_url}; {KEPT}.") from None


def _going_on(
    keeper: Keeper, conversation: "Open[T]", row_ids: list[str], on_done: "Done[T]"
) -> "Iterator[Conversation[T]]":
    """Give each row's conversation what is remembered by now; yield those that go on, one at a time."""
    for row_id in row_ids:
        each, ended = conversation(row_id), False
        while not ended and each.request.key not in keeper.again:
            reply = keeper.refused.get(each.request.key) or keeper.store.get(each.request)
            if reply is None:
                break
            ended = each.receive(reply)
        if ended:
            on_done(each)
        else:
            yield each


def _write_down(keeper: Keeper, conversations: "Iterator[Conversation[T]]") -> dict[str, str]:
    """Note batches for the requests that no open batch holds, as far as the budget goes; return each row's key."""
    with keeper.store.transaction() as database:
        taken = _taken(database, keeper)
    waiting: dict[str, str] = {}
    batches = batch_files.write(keeper.store, _affordable(keeper, conversations, waiting, taken))
    with keeper.store.transaction() as database:
        meanwhile = _taken(database, keeper)  # another process writes down its own
        for name, keys in batches.items():
            if meanwhile.isdisjoint(keys):
                packed = zlib.compress(json.dumps(keys).encode())
                database.execute(
                    "INSERT INTO batches VALUES (?, ?, ?, NULL, ?)",
                    (name, keeper.role, keeper.teacher.base_url, packed),
                )
    for name in batches:
        keeper.store.release(name)
    _tidy(keeper)
    return waiting


def _affordable(
    keeper: Keeper, conversations: "Iterator[Conversation[T]]", waiting: dict[str, str], taken: set[str]
) -> Iterator[Request]:
    """Note all conversations in `waiting`; yield what is to be sent, as far as the budget goes, and note its keys.

    Raises UserError if it goes for none, and no batch is open either.
    """
    left, short = keeper.budget.left_usd, 0.0
    for each in conversations:
        waiting[each.row_id] = each.request.key
        if each.request.key in taken:
            continue
        most = keeper.rates.most_usd(each.request)
        left -= most
        if left >= 0:
            taken.add(each.request.key)
            yield each.request
        else:
            short = short or most
    if short and not taken:
        raise keeper.budget.reached(short)


def _taken(database: Connection, keeper: Keeper) -> set[str]:
    """Return the keys that open batches hold."""
    url = keeper.teacher.base_url
    rows = database.execute("SELECT keys FROM batches WHERE role = ? AND endpoint = ?", (keeper.role, url))
    return {key for (packed,) in rows for key in json.loads(zlib.decompress(packed))}


def _tidy(keeper: Keeper) -> None:
    """Remove the files of batches that are not written down, unless a living process is about to."""
    for path in batch_files.folder(keeper.store).glob("*.jsonl"):
        if keeper.store.claim(path.stem):
            if not _noted_batch(keeper, path.stem):
                path.unlink(missing_ok=True)
            keeper.store.release(path.stem)


async def _finish_open(keeper: Keeper, client: openai.AsyncOpenAI, wanted: set[str]) -> int:
    """Bring every open batch of this role to its end; return how many replies came."""
    with keeper.store.transaction() as database:
        batches = database.execute(
            "SELECT name, keys FROM batches WHERE role = ? AND endpoint = ? ORDER BY name",
            (keeper.role, keeper.teacher.base_url),
        ).fetchall()
    keys = {name: json.loads(zlib.decompress(packed)) for name, packed in batches}
    ids = {name: await _submitted(keeper, client, name, keys[name], wanted) for name in keys}
    got = 0
    for name, batch_id in ids.items():
        if batch_id is not None:
            try:
                got += await _fetched(keeper, client, await _ended(keeper, client, batch_id), name, keys[name])
            except openai.NotFoundError:
                raise _unknown(keeper, client, batch_id) from None
        _forget(keeper, name)
    return got


def _unknown(keeper: Keeper, client: openai.AsyncOpenAI, batch_id: str) -> UserError:
    """Return the message for a batch that is written down here, and that the endpoint has not, or not its files."""
    return UserError(
        f"{keeper.role}: {client.base_url} does not know batch {batch_id}, or a file of it. If the key in "
        f"{keeper.endpoint.key_variable} is of another project than the one that submitted it, set that one's; if the "
        "batch or its files have expired or were deleted, have its rows asked for anew: "
        f"sqlite3 {keeper.store.path} \"DELETE FROM batches WHERE batch_id = '{batch_id}'\""
    )


async def _submitted(
    keeper: Keeper, client: openai.AsyncOpenAI, name: str, keys: list[str], wanted: set[str]
) -> str | None:
    """Return the id of a written-down batch, submitting it where that has not been done; None if it is not wanted."""
    while not keeper.store.claim(name):  # another process is about to submit it
        await asyncio.sleep(0.1)
    try:
        noted = _noted_batch(keeper, name)
        known = noted[0] if noted and noted[0] else await _at_endpoint(client, name)
        if known is None and wanted.issuperset(keys) and batch_files.path(keeper.store, name).exists():
            with batch_files.path(keeper.store, name).open("rb") as content:
                file = await client.files.create(file=(f"{name}.jsonl", content), purpose="batch")
            # Not retried by the client: a lost reply to this one would make a second batch. The next run looks for it.
            made = await client.with_options(max_retries=0).batches.create(
                input_file_id=file.id,
                endpoint="/v1/chat/completions",
                completion_window="24h",
                metadata={"star1": name},
            )
            known = made.id
            print(f"{keeper.stage}: batch {known} of {len(keys):,} requests is submitted", flush=True)
        if known is not None:
            with keeper.store.transaction() as database:
                database.execute("UPDATE batches SET batch_id = ? WHERE name = ?", (known, name))
    finally:
        keeper.store.release(name)
    return known


def _noted_batch(keeper: Keeper, name: str) -> tuple[str | None] | None:
    """Return the batch's id at the endpoint, as far as noted; None if the batch is not written down."""
    with keeper.store.transaction() as database:
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


async def _ended(keeper: Keeper, client: openai.AsyncOpenAI, batch_id: str) -> Any:
    while (batch := await client.batches.retrieve(batch_id)).status not in OVER:
        await asyncio.sleep(keeper.sending.batch_poll_s)
    return batch


async def _fetched(keeper: Keeper, client: openai.AsyncOpenAI, batch: Any, name: str, keys: list[str]) -> int:
    """Remember the replies of a batch that ended; return how many came. Raises UserError if it failed as a whole.

    Rows of an earlier state of the pipeline are remembered too: they are paid for.
    """
    got = 0
    with await _asked(keeper, client, batch, name) as requests:
        places = batch_files.places(requests, keys)
        for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
            with await _download(keeper, client, file_id) as replies:
                for line in replies:
                    key, reply = keeper.reply_of(line, client) or ("", {})
                    if key not in places:
                        continue
                    requests.seek(places[key])
                    endpoint = endpoint_of(keeper.teacher)
                    request = batch_files.request_of(keeper.role, endpoint, requests.readline(), key)
                    if request is not None:
                        await keeper.budget.pay(0.0, reply, request)
                        keeper.keep(request, reply)
                        got += 1
    if batch.status == "failed":
        codes = sorted({error.code or "unknown" for error in (batch.errors and batch.errors.data) or []})
        _forget(keeper, name)
        raise UserError(f"{keeper.role}: batch {batch.id} failed ({', '.join(codes)}); {KEPT}.")
    return got


async def _asked(keeper: Keeper, client: openai.AsyncOpenAI, batch: Any, name: str) -> IO[bytes]:
    """Return the batch's requests, from the endpoint where the file is not here any more."""
    try:
        return batch_files.path(keeper.store, name).open("rb")
    except FileNotFoundError:
        return await _download(keeper, client, batch.input_file_id)


async def _download(keeper: Keeper, client: openai.AsyncOpenAI, file_id: str) -> IO[bytes]:
    """Return a file of the endpoint as a file without a name, which is gone when it is closed."""
    file = tempfile.TemporaryFile(dir=batch_files.folder(keeper.store))  # noqa: SIM115
    for left in reversed(range(keeper.endpoint.retries + 1)):
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


def _forget(keeper: Keeper, name: str) -> None:
    with keeper.store.transaction() as database:
        database.execute("DELETE FROM batches WHERE name = ?", (name,))
    batch_files.path(keeper.store, name).unlink(missing_ok=True)
