"""From requests to replies: look up the remembered ones, price the rest, send it online or in batches.

Nothing here decides what a reply means, so no stage depends on this file.
"""

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from tqdm.auto import tqdm

from star1.llm import online
from star1.llm.keeping import Keeper
from star1.llm.store import Store

if TYPE_CHECKING:
    from star1.asking.conversation import Conversation
    from star1.llm.settings import Sending, Teacher

T = TypeVar("T")


class Sender:
    """Sends the requests of one stage to the teacher of one role."""

    def __init__(self, store: Store, stage: str, role: str, teacher: "Teacher", sending: "Sending") -> None:
        self._keeper = Keeper(store, stage, role, teacher, sending)
        self._expected_usd = 0.0
        self._remembered = 0

    @property
    def retry_failures(self) -> bool:
        """Whether rows that failed in an earlier run are asked for again."""
        return self._keeper.sending.retry_failures or os.environ.get("STAR1_RETRY_FAILURES") == "1"

    def expect(self, conversation: "Conversation[Any]", remembered: bool) -> None:
        """Count what an unknown request will likely cost."""
        rates = self._keeper.rates
        if not remembered:
            self._expected_usd += rates.usd(*rates.likely_tokens(conversation.request))

    def announce(self, rows: int, to_ask: int, failed: int) -> None:
        """Say what is remembered and what the rest will likely cost."""
        self._remembered = rows - to_ask
        line = f"{self._keeper.stage}: {rows:,} rows: {self._remembered:,} remembered, {to_ask:,} to ask"
        if to_ask:
            about = "about" if self._keeper.rates.reply_tokens is not None else "at most"
            line += f", {about} ${self._expected_usd:,.2f}"
        if failed:
            line += f"; {failed:,} failed before and are not asked again (STAR1_RETRY_FAILURES=1 asks)"
        print(line, flush=True)

    def run(
        self,
        conversation: "Callable[[str], Conversation[T]]",
        row_ids: list[str],
        on_done: "Callable[[Conversation[T]], None]",
        again: dict[str, dict[str, Any]],
    ) -> None:
        """Lead each row's conversation to its end and call `on_done`. Requests with a key in `again` are sent although
        they are remembered, unless by now with another reply than the one given there.

        Raises UserError where no retry helps, the budget is reached or the endpoint is down; what came is kept.
        """
        keeper = self._keeper
        keeper.again = again
        if not row_ids:
            return
        failed = 0
        with tqdm(total=len(row_ids), desc=keeper.stage, unit="row", disable=None) as bar:

            def ended(each: "Conversation[T]") -> None:
                nonlocal failed
                on_done(each)
                failed += each.failure is not None
                if not bar.disable:
                    bar.set_postfix_str(self._spent(failed), refresh=False)
                bar.update()

            try:
                if keeper.endpoint.mode == "batch":
                    from star1.llm import batch

                    asyncio.run(batch.run(keeper, conversation, row_ids, ended))
                else:
                    asyncio.run(online.run(keeper, map(conversation, row_ids), ended))
            finally:
                print(f"{keeper.stage}: {self._spent(failed)}", flush=True)
                if keeper.lost:
                    lost = f"{keeper.lost:,} requests were under way and are not kept; the next run asks again"
                    print(f"{keeper.stage}: {lost}", flush=True)

    def _spent(self, failed: int) -> str:
        budget = self._keeper.budget
        tokens = budget.prompt_tokens + budget.reply_tokens
        return f"{self._remembered:,} remembered, {failed:,} failed, {tokens:,} tokens, ${budget.spent_usd:,.4f}"

    def remember_unanswered(self) -> None:
        """Remember the refusals: a later run does not ask for them again unless told to."""
        self._keeper.remember_unanswered()
