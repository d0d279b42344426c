"""From requests to replies: remembered first, each one claimed, sent once, paid within the budget, kept at once.

Nothing here decides a reply's worth; a change rebuilds nothing.
"""

import asyncio
import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from tqdm.auto import tqdm

from star1.errors import UserError
from star1.llm.budget import Budget, rates
from star1.llm.client import KEPT, OF_THE_ROW, Unanswered, connect, refusal, send, whole, without_key
from star1.llm.rate_limiter import RateLimiter
from star1.llm.requests import Request, request
from star1.llm.store import Store
from star1.llm.talk import Talk

if TYPE_CHECKING:
    from star1.params import Sending, Teacher

T = TypeVar("T")
OUTAGE = 10  # requests in a row without a reply: the endpoint is down, not the request odd


class Sender:
    """Sends the requests of one stage to the teacher of one role."""

    def __init__(self, store: Store, stage: str, role: str, teacher: "Teacher", sending: "Sending") -> None:
        self.store, self.stage, self.role, self.teacher, self.sending = store, stage, role, teacher, sending
        self.endpoint = getattr(sending, role)
        self.model = request(role, teacher, []).body["model"]
        self.rates = rates(store, stage, role, self.model, self.endpoint)
        self.budget = Budget(self.rates, sending.budget_usd, store)
        self.again: set[str] = set()
        self.refused: dict[str, dict[str, Any]] = {}  # by key; remembered when the stage has ended well
        self.lost = 0  # requests that were under way, or replies that came, when the run was stopped
        self._unanswered: list[Request] = []
        self._in_a_row = 0
        self._expected_usd = 0.0

    @property
    def retry_failures(self) -> bool:
        """Whether rows that failed in an earlier run are asked for again."""
        return self.sending.retry_failures or os.environ.get("STAR1_RETRY_FAILURES") == "1"

    def expect(self, talk: Talk[Any], remembered: bool) -> None:
        """Count what an unknown request will likely cost."""
        if not remembered:
            self._expected_usd += self.rates.usd(*self.rates.likely_tokens(talk.request))

    def announce(self, rows: int, to_ask: int, failed: int) -> None:
        """Say what is remembered and what the rest will likely cost."""
        self._remembered = rows - to_ask
        line = f"{self.stage}: {rows:,} rows: {self._remembered:,} remembered, {to_ask:,} to ask"
        if to_ask:
            about = "about" if self.rates.reply_tokens is not None else "at most"
            line += f", {about} ${self._expected_usd:,.2f}"
        if failed:
            line += f"; {failed:,} failed before and are not asked again (STAR1_RETRY_FAILURES=1 asks)"
        print(line, flush=True)

    def run(
        self, talk: Callable[[str], Talk[T]], row_ids: list[str], over: Callable[[Talk[T]], None], again: set[str]
    ) -> None:
        """Lead each row's talk to its end and tell `over`. Requests with a key in `again` are sent although remembered.

        Raises UserError where no retry helps, the budget is reached or the endpoint is down; what came is kept.
        """
        self.again = again
        if not row_ids:
            return
        failed = 0
        with tqdm(total=len(row_ids), desc=self.stage, unit="row", disable=None) as bar:

            def ended(talk: Talk[T]) -> None:
                nonlocal failed
                over(talk)
                failed += talk.failure is not None
                if not bar.disable:
                    bar.set_postfix_str(self._spent(failed), refresh=False)
                bar.update()

            try:
                batched = self.endpoint.mode == "batch"
                asyncio.run(self._batch(talk, row_ids, ended) if batched else self._online(map(talk, row_ids), ended))
            finally:
                print(f"{self.stage}: {self._spent(failed)}", flush=True)
                if self.lost:
                    print(
                        f"{self.stage}: {self.lost:,} requests were under way and are not kept; the next run asks again"
                    )

    def _spent(self, failed: int) -> str:
        tokens = self.budget.prompt_tokens + self.budget.reply_tokens
        return f"{self._remembered:,} remembered, {failed:,} failed, {tokens:,} tokens, ${self.budget.spent_usd:,.4f}"

    async def _online(self, talks: Iterator[Talk[T]], over: Callable[[Talk[T]], None]) -> None:
        limiter = RateLimiter(
            self.role,
            self.endpoint,
            self.sending.max_wait_s,
            lambda request: sum(self.rates.likely_tokens(request)),
        )
        elsewhere: deque[Talk[T]] = deque()  # talks whose request another process, or another row, has under way
        problems: list[UserError] = []

        async def worker() -> None:
            try:
                for talk in talks:
                    if limiter.stopped:
                        return
                    if not await settle(talk, wait=False):
                        elsewhere.append(talk)
                while elsewhere and not limiter.stopped:
                    await settle(elsewhere.popleft(), wait=True)
            except UserError as problem:
                problems.append(problem)
                limiter.stopped = True  # nothing new is sent; what is in flight is paid for, and waited for

        async def settle(talk: Talk[T], wait: bool) -> bool:
            while True:
                reply = await self._reply(client, limiter, talk.request, wait)
                if reply is None:
                    return False
                if talk.hear(reply):
                    over(talk)
                    return True

        async with connect(self.role, self.teacher, self.endpoint) as client, asyncio.TaskGroup() as group:
            for _ in range(self.endpoint.concurrency):
                group.create_task(worker())
        if problems:
            raise problems[0]

    async def _batch(self, talk: Callable[[str], Talk[T]], row_ids: list[str], over: Callable[[Talk[T]], None]) -> None:
        from star1.llm.batch import run

        await run(self, talk, row_ids, over)

    async def _reply(self, client: Any, limiter: RateLimiter, request: Request, wait: bool) -> dict[str, Any] | None:
        """Return the remembered reply, or send; None where somebody else is about to have it and `wait` is false."""
        again, pause = request.key in self.again, 0.01
        while not self.store.claim(request.key, again):
            reply = None if again else self.store.get(request)
            if reply is not None or not wait or limiter.stopped:
                return reply
            await asyncio.sleep(pause)
            pause = min(2 * pause, 1.0)
        reserved, reply, under_way = 0.0, None, False
        try:
            reserved = await self.budget.reserve(request)
            under_way = True
            try:
                reply = await send(client, request, self.endpoint, limiter)
            except Unanswered as problem:
                reply = {"error": {"status": None, "code": None, "message": str(problem)}}
            except UserError:
                under_way = False
                raise
            finally:
                await self.budget.pay(reserved, reply, request)
            under_way = "choices" in reply
            self.keep(request, reply)
            under_way = False
        finally:
            self.lost += under_way
            if reply is None or "choices" not in reply:
                self.store.release(request.key)
        return reply

    def keep(self, request: Request, reply: dict[str, Any]) -> None:
        """Remember a reply. Refusals wait until the stage has ended well: an outage must not be remembered."""
        error = None if "choices" in reply else reply["error"]
        if error is None or error["code"] == "content_filter":
            self.store.put(request, reply, self.stage, replace=request.key in self.again)
            self.again.discard(request.key)
            self._in_a_row = 0
            return
        self.again.discard(request.key)
        self.refused[request.key] = reply
        self._unanswered.append(request)
        self._in_a_row += 1
        if self._in_a_row >= OUTAGE:
            raise UserError(
                f"{self.role}: {OUTAGE} requests in a row got no reply from {self.teacher.base_url} "
                f"({error['message'][:300]}); {KEPT}."
            )

    def reply_of(self, status: int | None, body: Any, client: Any) -> dict[str, Any] | None:
        """Return what a row of a batch came to, as `send` does; None where it is worth asking again."""
        if status == 200:
            return whole(without_key(json.dumps(body), client))
        if status in OF_THE_ROW:
            return refusal(status, body.get("error") or {}, client)
        return None

    def remember_unanswered(self) -> None:
        """Remember the refusals: a later run does not ask for them again unless told to."""
        for each in self._unanswered:
            self.store.put(each, self.refused[each.key], self.stage, replace=True)
