"""Put one conversation per row to a teacher: remembered replies first, then the sending side for the rest."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pandas as pd

from star1.asking.conversation import Conversation, Failure
from star1.errors import UserError
from star1.llm.sending import Sender
from star1.llm.store import AT_ONCE, Store
from star1.pipeline.home import home

if TYPE_CHECKING:
    from star1.asking.questions import Questions
    from star1.llm.settings import Llm, Sending, Teacher

T = TypeVar("T")


@dataclass(frozen=True)
class Asked(Generic[T]):
    """The parsed value of each row that got one, by id, and the failures of the others."""

    values: dict[str, T]
    failures: pd.DataFrame


class Conversations(Generic[T]):
    """Each row's conversation by its id, made when it is read: 41K of them at once would take 300 MB."""

    def __init__(self, questions: "Questions[T]", teacher: "Teacher", repairs: int) -> None:
        self._questions, self._teacher, self._repairs = questions, teacher, repairs
        self._rows = {str(row.id): row for row in questions.rows.itertuples(index=False)}

    def __getitem__(self, row_id: str) -> Conversation[T]:
        row, questions = self._rows[row_id], self._questions
        return Conversation(
            row_id,
            questions.role,
            self._teacher,
            questions.messages(row),
            questions.parse,
            self._repairs,
            questions.schema,
            questions.settings(row) if questions.settings else None,
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


@dataclass
class Recall(Generic[T]):
    """The finished ones of some conversations, and the first unanswered request of each other one."""

    values: dict[str, T] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    # By failed row: the key of its last request, and the reply.
    last: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    pending: list[str] = field(default_factory=list)


def recall(
    store: Store,
    conversations: Conversations[T],
    on_request: Callable[[Conversation[T], bool], None] = lambda conversation, remembered: None,
) -> Recall[T]:
    """Go through all conversations as far as the store's replies lead; call `on_request` for each request on the way,
    with whether it is remembered.
    """
    known: Recall[T] = Recall()
    row_ids = list(conversations)
    for start in range(0, len(row_ids), AT_ONCE):
        open_ones = [conversations[row_id] for row_id in row_ids[start : start + AT_ONCE]]
        while open_ones:
            replies = store.get_many([each.request for each in open_ones])
            asked_again = []
            for each in open_ones:
                key = each.request.key
                reply = replies.get(key)
                on_request(each, reply is not None)
                if reply is None:
                    known.pending.append(each.row_id)
                elif not each.receive(reply):
                    asked_again.append(each)
                elif each.failure is not None:
                    known.failures[each.row_id], known.last[each.row_id] = each.failure, (key, reply)
                else:
                    known.values[each.row_id] = each.value  # type: ignore[assignment]
            open_ones = asked_again
    return known


def ask_rows(stage: str, questions: "Questions[T]", teacher: "Teacher", llm: "Llm", sending: "Sending") -> Asked[T]:
    """Ask the teacher about each row and parse its replies.

    A reply that cannot be parsed is answered with the reason, at most `repairs` times; then the row goes to the
    failures. Replies are taken from the store where the exact request is in it. Raises UserError if more than
    `llm.max_failure_rate` of the rows fail.
    """
    repairs = llm.repairs if questions.repairs is None else questions.repairs
    conversations = Conversations(questions, teacher, repairs)
    with Store(home() / "responses") as store:
        sender = Sender(store, stage, questions.role, teacher, sending)
        known = recall(store, conversations, sender.expect)
        again = known.last if sender.retry_failures else {}
        values, failures = known.values, {i: f for i, f in known.failures.items() if i not in again}
        asked_for = {*known.pending, *again}
        to_ask = [row_id for row_id in conversations if row_id in asked_for]
        sender.announce(len(conversations), len(to_ask), len(failures))

        def on_done(each: Conversation[T]) -> None:
            if each.failure is not None:
                failures[each.row_id] = each.failure
            else:
                values[each.row_id] = each.value  # type: ignore[assignment]

        sender.run(conversations.__getitem__, to_ask, on_done, dict(again.values()))
        if len(failures) > llm.max_failure_rate * len(conversations):
            reasons = pd.Series([failure.reason for failure in failures.values()]).value_counts()
            raise UserError(
                f"{len(failures)} of {len(conversations)} rows have no usable reply, more than llm.max_failure_rate "
                f"{llm.max_failure_rate:.1%} allows; most often: {reasons.index[0]}. All replies are kept; "
                "STAR1_RETRY_FAILURES=1 asks for the failed rows again."
            )
        sender.remember_unanswered()
    rows = [(i, stage, f.reason, f.attempts, f.last_reply) for i, f in sorted(failures.items())]
    return Asked(values, pd.DataFrame(rows, columns=["id", "stage", "reason", "attempts", "last_reply"]))
