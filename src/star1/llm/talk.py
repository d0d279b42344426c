"""One row's conversation with its teacher: what to ask next, until there is a value or a failure. Sends nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from star1.llm.parsing import UnusableReply, raw_text
from star1.llm.requests import Messages, Request, request
from star1.prompts import ask

if TYPE_CHECKING:
    from star1.params import Llm

T = TypeVar("T")


@dataclass(frozen=True)
class Failure:
    """Why a row got no value: the reason, how often it was asked, and the last reply."""

    reason: str
    attempts: int
    last_reply: str | None


class Talk(Generic[T]):
    """`request` is what to ask now. `hear` takes the reply and says whether that was the end: `value` or `failure`."""

    def __init__(
        self,
        row_id: str,
        role: str,
        llm: "Llm",
        messages: Messages,
        parse: Callable[[dict[str, Any]], T],
        schema: dict[str, Any] | None = None,
    ) -> None:
        self.row_id, self._role, self._parse, self._schema = row_id, role, parse, schema
        self._teacher, self._repairs = getattr(llm, role), llm.repairs
        self.attempt = 1
        self.value: T | None = None
        self.failure: Failure | None = None
        self.request: Request = request(role, self._teacher, messages, schema=schema)

    def hear(self, reply: dict[str, Any]) -> bool:
        """Take the reply to `request`; False if it does not fit and the teacher is to be told why."""
        try:
            self.value = self._parse(reply)
            return True
        except UnusableReply as problem:
            text = raw_text(reply)
            if self.attempt > self._repairs or not problem.repairable:
                self.failure = Failure(str(problem), self.attempt, text)
                return True
            said = {"role": "assistant", "content": text or ""}
            messages = self.request.body["messages"]
            self.request = request(
                self._role,
                self._teacher,
                [*messages, said, *ask("repair", reason=str(problem))],
                keyed=[*(self.request.keyed or messages), said, *ask("repair", reason="")],
                schema=self._schema,
            )
            self.attempt += 1
            return False
