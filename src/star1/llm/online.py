"""Online mode: many requests in flight, each one claimed, sent once, paid within the budget, kept at once."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from star1.errors import UserError
from star1.llm.endpoints import Passing, Send, connect
from star1.llm.keeping import Keeper
from star1.llm.rate_limiter import RateLimiter
from star1.llm.requests import Request

if TYPE_CHECKING:
    from star1.asking.conversation import Conversation

T = TypeVar("T")
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 60.0  # backoff doubles between them; the wait is drawn evenly from zero to it


async def run(
    keeper: Keeper, conversations: Iterator["Conversation[T]"], on_done: Callable[["Conversation[T]"], None]
) -> None:
    """Lead each conversation to its end. Raises UserError where no retry helps; what is in flight is waited for."""
    limiter = RateLimiter(
        keeper.role,
        keeper.endpoint,
        keeper.sending.max_wait_s,
        lambda request: sum(keeper.rates.likely_tokens(request)),
    )
    elsewhere: deque[Conversation[T]] = deque()  # their request is under way: another process's, or another row's
    problems: list[UserError] = []

    async def worker() -> None:
        try:
            for conversation in conversations:
                if limiter.stopped:
                    return
                if not await settle(conversation, wait=False):
                    elsewhere.append(conversation)
            while elsewhere and not limiter.stopped:
                await settle(elsewhere.popleft(), wait=True)
        except UserError as problem:
            problems.append(problem)
            limiter.stop()  # nothing new is sent; what is in flight is paid for, and waited for

    async def settle(conversation: "Conversation[T]", wait: bool) -> bool:
        while True:
            reply = await _reply(keeper, send, limiter, conversation.request, wait)
            if reply is None:
                return False
            if conversation.receive(reply):
                on_done(conversation)
                return True

    async with connect(keeper.role, keeper.teacher, keeper.endpoint) as send, asyncio.TaskGroup() as group:
        for _ in range(keeper.endpoint.concurrency):
            group.create_task(worker())
    if problems:
        raise problems[0]


async def _reply(
    keeper: Keeper, send: Send, limiter: RateLimiter, request: Request, wait: bool
) -> dict[str, Any] | None:
    """Return the remembered reply, or send; None where somebody else is about to have it and `wait` is false, or where
    nothing more is to be sent.
    """
    pause = 0.01
    while not keeper.store.claim(request.key, again := request.key in keeper.again):
        reply = None if again else keeper.store.get(request)
        if reply is not None or not wait or limiter.stopped:
            return reply
        await asyncio.sleep(pause)
        pause = min(2 * pause, 1.0)
    if again and (reply := keeper.replied_meanwhile(request)):
        keeper.store.release(request.key)
        return reply
    reserved, reply, under_way = 0.0, None, False
    try:
        reserved = await keeper.budget.reserve(request)
        under_way = True
        try:
            reply = await _answered(keeper, send, limiter, request)
        except UserError:
            under_way = False
            raise
        finally:
            await keeper.budget.pay(reserved, reply, request)
        if reply is None:
            under_way = False
            return None
        under_way = "choices" in reply
        keeper.keep(request, reply)
        under_way = False
        keeper.stop_in_outage(request, reply)
    finally:
        keeper.lost += under_way
        if reply is None or "choices" not in reply:
            keeper.store.release(request.key)
    return reply


async def _answered(keeper: Keeper, send: Send, limiter: RateLimiter, request: Request) -> dict[str, Any] | None:
    """Send a request until it is answered, at most `retries` times more; then the reply is {"error": ...}.

    None if nothing more is to be sent, because of another request, before this one has its reply.
    """
    problem = ""
    for attempt in range(keeper.endpoint.retries + 1):
        await limiter.turn(request)
        if limiter.stopped:
            return None
        try:
            return await send(request)
        except Passing as passing:
            problem, wait_s = str(passing), passing.wait_s
        if wait_s is not None:
            limiter.hold(wait_s)
        if attempt < keeper.endpoint.retries:
            backoff = min(FIRST_WAIT_S * 2**attempt, LONGEST_WAIT_S)
            await limiter.sleep((wait_s or 0) + random.uniform(0, backoff))
    return {"error": {"status": None, "code": None, "message": problem}}
