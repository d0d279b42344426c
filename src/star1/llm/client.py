"""The sending side: one async client for every OpenAI-compatible endpoint, the simulator included.

The simulator sits behind the real `openai` client as an in-process transport, so every reply takes the whole way
through the wire format.
"""

import asyncio
import json
import os
import random
from typing import TYPE_CHECKING, Any

import httpx2
import openai

from star1.errors import UserError
from star1.llm.rate_limiter import RateLimiter, retry_after
from star1.llm.requests import Request

if TYPE_CHECKING:
    from star1.params import Endpoint, Teacher

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0  # backoff doubles between them; the wait is drawn evenly from zero to it
PASSING = (408, 409, 425, 429)  # and 5xx: what another try may mend
OF_THE_ROW = (400, 413, 422)  # a content filter before the model, a prompt that is too long
KEPT = "all replies so far are kept, run again to go on"


class Unanswered(Exception):
    """The endpoint did not answer this one request, however often it was tried; the message says what it did."""


class _Simulator(httpx2.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        from star1.miniature.simulator import reply

        return httpx2.Response(200, json=reply(json.loads(await request.aread())))


def connect(role: str, teacher: "Teacher", endpoint: "Endpoint") -> openai.AsyncOpenAI:
    """Return the client for a role. Raises UserError if the environment variable that holds its key is not set."""
    if teacher.base_url == "simulator":
        if endpoint.mode == "batch":
            raise UserError(f"sending.{role}.mode: the simulator has no batches; set it to online.")
        http_client = httpx2.AsyncClient(transport=_Simulator())
        return openai.AsyncOpenAI(api_key="none", base_url="http://simulator/v1", http_client=http_client)
    variable = endpoint.key_variable
    key = os.environ.get(variable, "").strip() if variable else "none"
    if not key:
        raise UserError(f"llm.{role}: set the environment variable {variable} to the key for {teacher.base_url}.")
    limits = httpx2.Limits(max_connections=endpoint.concurrency, max_keepalive_connections=endpoint.concurrency)
    http_client = openai.DefaultAsyncHttpxClient(limits=limits, timeout=endpoint.timeout_s)
    # Retries are ours: the client's own would try an empty quota again, and hide refusals from the rate limiter.
    return openai.AsyncOpenAI(api_key=key, base_url=teacher.base_url, max_retries=0, http_client=http_client)


async def send(
    client: openai.AsyncOpenAI, request: Request, endpoint: "Endpoint", limiter: RateLimiter
) -> dict[str, Any]:
    """Send a request and return the whole reply as it came.

    A refusal of this very request (a content filter, a prompt that is too long) comes back as {"error": ...}: it is an
    outcome of the row. Raises UserError for what no retry mends: a bad key, a missing model, an empty quota. Raises
    Unanswered after `endpoint.retries` retries of what might have passed.
    """
    for attempt in range(endpoint.retries + 1):
        try:
            await limiter.turn(request)
            async with asyncio.timeout(endpoint.timeout_s):
                # The reply as it came: the typed method takes body and reply apart, for a third of a call's CPU.
                raw = await client.post("/chat/completions", cast_to=httpx2.Response, body=request.body)
            return whole(without_key(raw.text, client))
        except openai.APIStatusError as error:
            status, code = error.status_code, error.code
            if status in OF_THE_ROW:
                return refusal(status, {"code": code, "message": error.message}, client)
            if code == "insufficient_quota" or not (status in PASSING or status >= 500):
                raise what_to_mend(client, request.role, request.body["model"], error, endpoint) from None
            said = without_key(error.message, client)[:200]
            wait, problem = retry_after(error.response.headers), f"the endpoint answered {status}: {said}"
            if wait is not None:
                limiter.hold(wait)
        except (TimeoutError, openai.APITimeoutError):
            wait, problem = None, f"no reply within {endpoint.timeout_s:g} s"
        except openai.APIConnectionError as error:
            wait, problem = None, f"the connection failed: {error.__cause__ or error}"
        except Malformed:
            wait, problem = None, "the endpoint's reply was no chat completion"
        if limiter.stopped:
            break
        if attempt < endpoint.retries:
            backoff = min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S)
            await asyncio.sleep((wait or 0) + random.uniform(0, backoff))
    raise Unanswered(problem)


class Malformed(Exception):
    """What the endpoint sent is no chat completion."""


def refusal(status: int, error: dict[str, Any], client: openai.AsyncOpenAI) -> dict[str, Any]:
    """Return what is remembered of a request that the endpoint refused for its own sake."""
    message = without_key(str(error.get("message")), client)[:1000]
    return {"error": {"status": status, "code": error.get("code"), "message": message}}


def whole(text: str) -> dict[str, Any]:
    """Return a reply's JSON. Raises Malformed unless it has the parts of a chat completion."""
    try:
        reply: dict[str, Any] = json.loads(text)
        choice = reply["choices"][0]
        choice["finish_reason"], choice["message"].get("content")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Malformed from None
    return reply


def without_key(text: str, client: openai.AsyncOpenAI) -> str:
    """Return what an endpoint said without the key, which some repeat in their errors."""
    return text.replace(client.api_key, "[key]") if len(client.api_key) >= 8 else text


def what_to_mend(
    client: openai.AsyncOpenAI, role: str, model: str, error: openai.APIStatusError, endpoint: "Endpoint"
) -> UserError:
    """Return what to tell the user of an error that no retry mends; the endpoint's own words may hold the key."""
    status, url, variable = error.status_code, client.base_url, endpoint.key_variable
    told = {
        401: f"the endpoint refuses the key; check the environment variable {variable} ({url})",
        403: f"the key in {variable} may not use {model}; have it allowed, or change llm.{role}.model",
        404: f"there is no model {model} at {url}; check llm.{role}.model and base_url",
        402: f"the balance at {url} is used up; {KEPT} once it is filled",
        429: f"the quota at {url} is used up; {KEPT} once it is raised",
    }
    return UserError(f"{role}: {told.get(status, f'the endpoint {url} answered {status}; {KEPT}')}.")
