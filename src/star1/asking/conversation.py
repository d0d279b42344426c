"""The conversation about one row: what to ask next, until there is a value or a failure. Sends nothing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from star1.asking.parsing import UnusableReply, raw_text
from star1.llm.requests import Messages, Request, request
from star1.prompts import ask

if TYPE_CHECKING:
    from star1.llm.settings import Teacher

T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """Why a row got no value: the reason, how often it was asked, and the last reply."""

    reason: str
    attempts: int
    last_reply: str | None


class Conversation(Generic[T]):
    """`request` is what to ask now. `receive` takes the reply and says whether there is a `value` or a `failure`."""

    def __init__(
        self,
        row_id: str,
        role: str,
        teacher: "Teacher",
        messages: Messages,
        parse: Callable[[dict[str, Any]], T],
        repairs: int,
        schema: dict[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.row_id, self._role, self._teacher, self._parse = row_id, role, teacher, parse
        self._repairs, self._schema, self._settings = repairs, schema, settings
        self.attempt = 1
        self.value: T | None = None
        self.failure: Failure | None = None
        self.request: Request = self._ask(messages, None)

    def _ask(self, messages: Messages, keyed: Messages | None) -> Request:
        return request(self._role, self._teacher, messages, keyed, self._schema, self._settings)

    def receive(self, reply: dict[str, Any]) -> bool:
        """Take the reply to `request`. Return False where it does not fit and `request` asks again, with the reason."""
        try:
            self.value = self._parse(reply)
            return True
        except UnusableReply as problem:
            text = raw_text(reply)
            if self.attempt > self._repairs or not problem.repairable:
                self.failure = Failure(str(problem), self.attempt, text)
                return True
            messages, answered = self.request.body["messages"], {"role": "assistant", "content": text or ""}
            self.request = self._ask(
                [*messages, answered, *ask("repair", reason=str(problem))],
                [*(self.request.keyed or messages), answered, *ask("repair", reason="")],
            )
            self.attempt += 1
            return False
