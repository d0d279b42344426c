"""Tokens and dollars of model calls: the estimate before they are sent, and the cap on a run.

A run is one `dvc repro`, or one experiment, over all of its stages: that is what a user starts and pays for. A cap on
each stage would let six stages spend six times as much; a cap on all that the store ever cost would have to be raised
for the next run to go on, which should need nothing.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from star1.errors import UserError
from star1.llm.requests import Request
from star1.llm.store import Store
from star1.llm.tokens import CHARS_A_TOKEN, tokens

if TYPE_CHECKING:
    from star1.llm.settings import RoleSending

BATCH_DISCOUNT = 0.5  # OpenAI's price of a batch, against single calls


@dataclass(frozen=True)
class Rates:
    """What a stage's calls have taken so far, and their prices in dollars a million tokens.

    `reply_tokens` is the mean of what the stage, or else its role, was answered; None where nothing is known yet.
    """

    chars_a_token: float
    reply_tokens: float | None
    input_usd: float
    output_usd: float
    count: Callable[[str], int] | None = None

    def prompt_tokens(self, request: Request) -> float:
        """Return the tokens of a request: counted where the model's tokenizer is installed, else by the ratio."""
        if self.count is not None:
            return sum(self.count(message["content"]) + 4 for message in request.body["messages"])
        return request.chars / self.chars_a_token

    def likely_tokens(self, request: Request) -> tuple[float, float]:
        """Return the expected tokens of a request and of its reply; for a role without replies so far, max_tokens."""
        most = request.max_tokens
        return self.prompt_tokens(request), most if self.reply_tokens is None else min(self.reply_tokens, most)

    def usd(self, prompt_tokens: float, reply_tokens: float) -> float:
        """Return the price of that many tokens."""
        return (prompt_tokens * self.input_usd + reply_tokens * self.output_usd) / 1e6

    def most_usd(self, request: Request) -> float:
        """Return what a request can cost at most: a token has a byte at least, and the reply ends at max_tokens."""
        messages = request.body["messages"]
        prompt = sum(len(message["content"].encode("utf-8", "surrogatepass")) + 16 for message in messages)
        return self.usd(prompt, request.max_tokens)


def rates(store: Store, stage: str, role: str, model: str, endpoint: "RoleSending") -> Rates:
    """Return the rates of a stage's calls, from the store's own replies of this stage, else of its role and model."""
    seen = store.usage("stage = ? AND role = ? AND model = ?", (stage, role, model))
    if not seen.replies:
        seen = store.usage("role = ? AND model = ?", (role, model))
    discount = BATCH_DISCOUNT if endpoint.mode == "batch" else 1.0
    return Rates(
        seen.prompt_chars / seen.prompt_tokens if seen.prompt_tokens else CHARS_A_TOKEN,
        seen.reply_tokens / seen.replies if seen.replies else None,
        endpoint.input_usd * discount,
        endpoint.output_usd * discount,
        _tokenizer(model),
    )


def _tokenizer(model: str) -> Callable[[str], int] | None:
    try:
        import tiktoken
    except ImportError:
        return None
    try:
        encoding = tiktoken.encoding_for_model(model)
    except (KeyError, OSError):  # no OpenAI model, or its vocabulary cannot be fetched
        return None
    return lambda text: len(encoding.encode(text, disallowed_special=()))


def this_run() -> tuple[int, float]:
    """Return what names the run that this process belongs to: the pid of `dvc repro`, and when that began.

    DVC tells a stage its own name (DVC_STAGE) but nothing of the run. So the run is the nearest process above that was
    started without that variable; without DVC, this process.
    """
    import psutil

    process = psutil.Process()
    try:
        while "DVC_STAGE" in process.environ() and (parent := process.parent()):
            process = parent
    except psutil.Error:  # of another user, or ended: the search stops here
        pass
    return process.pid, process.create_time()


class Budget:
    """A cap in dollars. Each call reserves the most it can cost, and pays what it did cost.

    What earlier stages of this run paid counts: DVC runs them one after another, and each payment is in the store
    before its reply is, so a kill forgets at most the calls in flight.
    """

    def __init__(self, rates: Rates, cap_usd: float | None, store: Store) -> None:
        self.rates, self.cap_usd, self._store = rates, cap_usd, store
        self.spent_usd = self._earlier_usd = self._reserved = 0.0
        if cap_usd is not None:
            self._run = this_run()
            self._earlier_usd = store.spent_usd(*self._run)
        self._in_flight = 0
        self.prompt_tokens = self.reply_tokens = 0
        self._freed = asyncio.Condition()

    @property
    def left_usd(self) -> float:
        """What the cap leaves to the calls that are not in flight."""
        cap = math.inf if self.cap_usd is None else self.cap_usd
        return cap - self._earlier_usd - self.spent_usd - self._reserved

    async def reserve(self, request: Request) -> float:
        """Reserve the most a request can cost and return it; wait for calls in flight where that would not fit.

        Raises UserError where it cannot fit any more.
        """
        most = self.rates.most_usd(request)
        if self.cap_usd is not None:
            async with self._freed:
                while most > self.left_usd and self._in_flight:
                    await self._freed.wait()
                if most > self.left_usd:
                    raise self.reached(most)
                self._reserved += most
                self._in_flight += 1
        return most

    def reached(self, most: float) -> UserError:
        """Return the message for a call that may cost `most` and no longer fits the cap."""
        return UserError(
            f"sending.budget_usd {self.cap_usd:g} is reached: ${self._earlier_usd + self.spent_usd:.4f} spent by this "
            f"run over its stages, the next call may take ${most:.4f}. All replies are kept; the next run goes on."
        )

    async def pay(self, reserved: float, reply: dict[str, Any] | None, request: Request) -> None:
        """Replace a reservation by the reply's cost; `reply` is None where none came."""
        prompt, answer = tokens(reply or {}, request.chars)
        self.prompt_tokens += prompt
        self.reply_tokens += answer
        usd = self.rates.usd(prompt, answer)
        self.spent_usd += usd
        if self.cap_usd is None:
            return
        try:
            if usd:
                self._store.pay(*self._run, usd)
        finally:  # also where the store fails: whoever waits for this call's end would wait for ever
            async with self._freed:
                self._in_flight -= 1
                self._reserved = self._reserved - reserved if self._in_flight else 0.0
                self._freed.notify_all()
