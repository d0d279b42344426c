"""The files of batches: requests on their way out, a line each, and the way back from a line to its request."""

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from star1.llm.requests import Request
from star1.llm.store import Store
from star1.prompts import ask

ROWS, BYTES = 50_000, 190_000_000  # of one batch; OpenAI allows 50,000 requests and 200 MB


def folder(store: Store) -> Path:
    """Return the folder of these files."""
    return store.path.parent / "batches"


def path(store: Store, name: str) -> Path:
    """Return the file of the batch `name`."""
    return folder(store) / f"{name}.jsonl"


def write(store: Store, requests: Iterator[Request]) -> dict[str, list[str]]:
    """Write the requests into files, one a batch; return the batches' keys by name. The names are claimed."""
    batches: dict[str, list[str]] = {}
    keys: list[str] = []
    size = 0
    with ExitStack() as open_file:
        for request in requests:
            line = _line(request)
            if not batches or len(keys) == ROWS or size + len(line) > BYTES:
                name, keys, size = uuid.uuid4().hex, [], 0
                store.claim(name)
                open_file.close()
                file = open_file.enter_context(path(store, name).open("wb"))
                batches[name] = keys
            keys.append(request.key)
            size += file.write(line)
    return batches


def _line(request: Request) -> bytes:
    line = {"custom_id": request.key, "method": "POST", "url": "/v1/chat/completions", "body": request.body}
    return json.dumps(line).encode() + b"\n"


def places(requests: IO[bytes], keys: list[str]) -> dict[str, int]:
    """Return where in the file the line of each request begins, by key; `keys` are in the order of the lines."""
    found, place = {}, 0
    for key, line in zip(keys, requests, strict=False):
        found[key] = place
        place += len(line)
    return found


def request_of(role: str, endpoint: str, line: bytes, key: str) -> Request | None:
    """Return the request of a line; None if it is not the one of this key.

    The key has the last user turns without their reasons where these turns ask again (see Conversation).
    """
    body: dict[str, Any] = json.loads(line)["body"]
    messages, blank = body["messages"], ask("repair", reason="")[0]
    request = Request(role, endpoint, body)
    for place in range(len(messages) - 1, 0, -2):
        if request.key == key:
            break
        keyed = request.keyed or messages
        request = Request(role, endpoint, body, keyed=[*keyed[:place], blank, *keyed[place + 1 :]])
    return request if request.key == key else None
