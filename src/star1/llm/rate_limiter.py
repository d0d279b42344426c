"""How fast a role may ask: requests and tokens a minute, spread evenly, and pauses that the endpoint asks for."""

import asyncio
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from star1.errors import UserError
from star1.llm.endpoints.url import KEPT
from star1.llm.requests import Request

if TYPE_CHECKING:
    from star1.llm.settings import RoleSending

SPREAD_S = 0.05  # between requests that a pause held up: so many at once met the limit


class RateLimiter:
    """Turns of all requests of a role in this process; `tokens` estimates what a request will take, reply included.

    max_wait_s: the longest pause that an endpoint may ask for.
    """

    def __init__(
        self, role: str, sending: "RoleSending", max_wait_s: float, tokens: Callable[[Request], float]
    ) -> None:
        self._role, self._max_wait_s, self._tokens = role, max_wait_s, tokens
        self._request_s = 60 / sending.requests_per_minute if sending.requests_per_minute else 0.0
        self._token_s = 60 / sending.tokens_per_minute if sending.tokens_per_minute else 0.0
        self._next = self._held_until = 0.0
        self._queued = 0  # requests that the pause has held up
        self.stopped = False  # nothing more is to be sent

    async def turn(self, request: Request) -> None:
        """Wait until this request may be sent."""
        now = time.monotonic()
        start = max(now, self._next)
        self._next = start + max(self._request_s, self._token_s * self._tokens(request) if self._token_s else 0.0)
        if start > now:
            await asyncio.sleep(start - now)
        while (left := self._held_until - time.monotonic()) > 0:
            self._queued += 1
            await asyncio.sleep(left + SPREAD_S * self._queued * random.uniform(0.5, 1.5))

    def hold(self, seconds: float) -> None:
        """Let nobody send for some seconds: the endpoint said so to one, and means all.

        Raises UserError where that is longer than `sending.max_wait_s`.
        """
        if seconds > self._max_wait_s:
            raise UserError(
                f"{self._role}: the endpoint asks to wait {seconds:,.0f} s, more than sending.max_wait_s "
                f"{self._max_wait_s:g}; {KEPT}."
            )
        until = time.monotonic() + seconds
        if until > self._held_until:
            self._held_until, self._queued = until, 0
            if seconds >= 5:
                print(f"{self._role}: the endpoint asks to wait {seconds:,.0f} s", flush=True)
