"""Any OpenAI-compatible endpoint at a URL.

The client is imported where a request is sent: that takes 0.8 s, and many stages find every reply in the store.
"""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from star1.errors import UserError
from star1.llm.endpoints import Passing, Send, model_param_of, section_of
from star1.llm.rate_limiter import retry_after
from star1.llm.requests import Request

if TYPE_CHECKING:
    import openai

    from star1.llm.settings import RoleSending, Teacher

PASSING = (408, 409, 425, 429)  # and 5xx: what another try may mend
OF_THE_ROW = (400, 413, 422)  # a content filter before the model, a prompt that is too long
# Levels of a reply's JSON. Python reads and writes as many as its stack has room for: what was read in one place might
# not be written in another.
DEEPEST = 200
KEPT = "all replies so far are kept, run again to go on"


@asynccontextmanager
async def connect(role: str, teacher: "Teacher", sending: "RoleSending") -> AsyncIterator[Send]:
    """Yield `send` for the endpoint at the teacher's base_url."""
    async with client_for(role, teacher, sending) as client:
        yield sender_of(client, sending)


def client_for(role: str, teacher: "Teacher", sending: "RoleSending") -> "openai.AsyncOpenAI":
    """Return the client for a role. Raises UserError if the environment variable of its key holds none."""
    import httpx2
    import openai

    key = key_of(role, teacher.base_url, sending)
    limits = httpx2.Limits(max_connections=sending.concurrency, max_keepalive_connections=sending.concurrency)
    http_client = openai.DefaultAsyncHttpxClient(limits=limits, timeout=sending.timeout_s)
    # Retries are ours: the client's own would try an empty quota again, and hide from the rate limiter that it was
    # refused.
    return openai.AsyncOpenAI(api_key=key, base_url=teacher.base_url, max_retries=0, http_client=http_client)


def key_of(role: str, url: str, sending: "RoleSending") -> str:
    """Return the key of a role. Raises UserError, without the key, if it is not set or fits no HTTP header.

    The client would find that out at each request, and name the key in its error.
    """
    variable, where = sending.key_variable, section_of(role)
    if not variable:
        return "none"
    key = os.environ.get(variable, "").strip()
    if not key:
        raise UserError(f"{where}: set the environment variable {variable} to the key for {url}.")
    if not re.fullmatch("[!-~]+", key):
        raise UserError(
            f"{where}: the environment variable {variable} holds no key for {url}: a key is one line "
            f"of ASCII characters without blanks."
        )
    return key


def sender_of(client: "openai.AsyncOpenAI", sending: "RoleSending") -> Send:
    """Return the function that sends one request once and returns the whole reply as it came.

    A refusal of this very request (a content filter, a prompt that is too long) comes back as {"error": ...}: it is an
    outcome of the row. The function raises UserError for what no retry mends: a bad key, a missing model, an empty
    quota.
    """
    import httpx2
    import openai

    async def send(request: Request) -> dict[str, Any]:
        try:
            async with asyncio.timeout(sending.timeout_s):
                # The reply as it came: the typed method takes body and reply apart, for a third of a call's CPU.
                raw = await client.post("/chat/completions", cast_to=httpx2.Response, body=request.body)
            return whole(without_key(raw.text, client))
        except openai.APIStatusError as error:
            status, code = error.status_code, error.code
            if status in OF_THE_ROW:
                return refusal(status, {"code": code, "message": error.message}, client)
            if code == "insufficient_quota" or not (status in PASSING or status >= 500):
                raise what_to_mend(client, request.role, request.body["model"], error, sending) from None
            reason = without_key(error.message, client)[:200]
            wait_s = retry_after(error.response.headers)
            raise Passing(f"the endpoint answered {status}: {reason}", wait_s) from None
        except (TimeoutError, openai.APITimeoutError):
            raise Passing(f"no reply within {sending.timeout_s:g} s") from None
        except openai.APIConnectionError as error:
            raise Passing(f"the connection failed: {without_key(str(error.__cause__ or error), client)}") from None
        except Malformed:
            raise Passing("the endpoint's reply was no chat completion") from None

    return send


class Malformed(Exception):
    """What the endpoint sent is no chat completion."""


def refusal(status: int, error: dict[str, Any], client: "openai.AsyncOpenAI") -> dict[str, Any]:
    """Return the reply that is remembered for a request which the endpoint refused because of its content."""
    message = without_key(str(error.get("message")), client)[:1000]
    return {"error": {"status": status, "code": error.get("code"), "message": message}}


def whole(text: str) -> dict[str, Any]:
    """Return a reply's JSON. Raises Malformed unless it has the parts of a chat completion, nested not too deep."""
    try:
        reply: dict[str, Any] = json.loads(text)
        choice = reply["choices"][0]
        choice["finish_reason"], choice["message"].get("content")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Malformed from None
    level: list[Any] = [reply]
    for _ in range(DEEPEST):
        level = [part for each in level if isinstance(each, dict | list) for part in _parts(each)]
        if not level:
            return reply
    raise Malformed


def _parts(value: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value


def without_key(text: str, client: "openai.AsyncOpenAI") -> str:
    """Return what an endpoint answered without the key, which some repeat in their errors."""
    return text.replace(client.api_key, "[key]") if len(client.api_key) >= 8 else text


def what_to_mend(
    client: "openai.AsyncOpenAI", role: str, model: str, error: "openai.APIStatusError", sending: "RoleSending"
) -> UserError:
    """Return the message for an error that no retry mends, without the key, which the endpoint may repeat."""
    status, url, variable = error.status_code, client.base_url, sending.key_variable
    advice = {
        401: f"the endpoint refuses the key; check the environment variable {variable} ({url})",
        403: f"the key in {variable} may not use {model}; have it allowed, or change {model_param_of(role)}",
        404: f"there is no model {model} at {url}; check {model_param_of(role)} and base_url",
        402: f"the balance at {url} is used up; {KEPT} once it is filled",
        429: f"the quota at {url} is used up; {KEPT} once it is raised",
    }
    return UserError(f"{role}: {advice.get(status, f'the endpoint {url} answered {status}; {KEPT}')}.")
