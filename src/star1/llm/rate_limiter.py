"""The rate limiter: requests and tokens a minute of a role, spread evenly, and pauses that its endpoint asks for."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from tqdm.auto import tqdm

from star1.errors import UserError
from star1.llm.requests import Request

if TYPE_CHECKING:
    from star1.llm.settings import RoleSending


SAID_S = 10  # a pause as long as that is said on the console
SPREAD_S = 5.0  # over so many seconds, at most, the requests that waited are sent when a pause ends


class RateLimiter:
    """Limits all requests of a role in this process; `tokens` estimates what a request will take, reply included.

    `longest_s` is the longest pause that the endpoint may ask for.
    """

    def __init__(
        self, role: str, endpoint: "RoleSending", longest_s: float, tokens: Callable[[Request], float]
    ) -> None:
        self._role, self._longest_s, self._concurrency = role, longest_s, endpoint.concurrency
        self._request_s = 60 / endpoint.requests_per_minute if endpoint.requests_per_minute else 0.0
        self._token_s = 60 / endpoint.tokens_per_minute if endpoint.tokens_per_minute else 0.0
        self._tokens = tokens
        self._next = self._held_until = self._release = self._gap_s = 0.0
        self._stop = asyncio.Event()

    @property
    def stopped(self) -> bool:
        """Whether nothing more is to be sent."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Have nothing more sent; who waits to send wakes up."""
        self._stop.set()

    async def sleep(self, seconds: float) -> None:
        """Wait some seconds, or until nothing more is to be sent."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    async def turn(self, request: Request) -> None:
        """Wait until this request may be sent, or nothing more is to be sent."""
        now = time.monotonic()
        start = max(now, self._next)
        self._next = start + max(self._request_s, self._token_s * self._tokens(request) if self._token_s else 0.0)
        if start > now:
            await self.sleep(start - now)
        while (now := time.monotonic()) < self._held_until and not self.stopped:
            # One after another: all at once would meet the same refusal again.
            self._release = max(self._release + self._gap_s, self._held_until)
            await self.sleep(self._release - now)

    def hold(self, seconds: float) -> None:
        """Pause all requests for some seconds: the endpoint asked one of them to wait, and its limit holds for all.

        Raises UserError if it asks for more than `longest_s`.
        """
        if seconds > self._longest_s:
            raise UserError(
                f"{self._role}: the endpoint asks to wait {seconds:,.0f} s, more than sending.max_wait_s "
                f"{self._longest_s:,g}; all replies so far are kept, run again then to go on."
            )
        until = time.monotonic() + seconds
        if seconds >= SAID_S and until > self._held_until + 1:
            tqdm.write(f"{self._role}: the endpoint asks to wait {seconds:,.0f} s; waiting")
        if until > self._held_until:
            self._held_until = until
            self._gap_s = min(seconds, SPREAD_S) / self._concurrency


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Retry-After (seconds or a date; or retry-after-ms) asks for, None if it is not there."""
    milliseconds, value = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            seconds = float(milliseconds) / 1000
        elif value is not None:
            seconds = float(value)
        else:
            return None
    except ValueError:
        try:
            until = parsedate_to_datetime(value or "")
        except ValueError:
            return None
        seconds = (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
