"""Put one conversation per row to a teacher: remembered replies first, then the sending side for the rest."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pandas as pd

from star1.errors import UserError
from star1.llm import sending as sending_side
from star1.llm.requests import Messages
from star1.llm.store import AT_ONCE, Store
from star1.llm.talk import Failure, Talk
from star1.pipeline.home import home

if TYPE_CHECKING:
    from star1.params import Llm, Sending

T = TypeVar("T")


@dataclass(frozen=True)
class Asked(Generic[T]):
    """The parsed value of each row that got one, by id, and the failures of the others."""

    values: dict[str, T]
    failures: pd.DataFrame


@dataclass
class Recall(Generic[T]):
    """What the store knows of some conversations: those that are over, and the first unknown request of each other."""

    values: dict[str, T] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    last_keys: dict[str, str] = field(default_factory=dict)  # of each failed row: the request that nothing came of
    pending: list[str] = field(default_factory=list)


def recall(
    store: Store,
    conversations: Mapping[str, Messages],
    talk: Callable[[str], Talk[T]],
    seen: Callable[[Talk[T], bool], None] = lambda talk, remembered: None,
) -> Recall[T]:
    """Go through all conversations as far as the store's replies lead. `seen` is told each request on the way."""
    known: Recall[T] = Recall()
    row_ids = list(conversations)
    for start in range(0, len(row_ids), AT_ONCE):
        talks = [talk(row_id) for row_id in row_ids[start : start + AT_ONCE]]
        while talks:
            replies = store.get_many([each.request for each in talks])
            going_on = []
            for each in talks:
                reply = replies.get(each.request.key)
                seen(each, reply is not None)
                if reply is None:
                    known.pending.append(each.row_id)
                    continue
                key = each.request.key
                if not each.hear(reply):
                    going_on.append(each)
                elif each.failure is not None:
                    known.failures[each.row_id], known.last_keys[each.row_id] = each.failure, key
                else:
                    known.values[each.row_id] = each.value  # type: ignore[assignment]
            talks = going_on
    return known


def ask_rows(
    stage: str,
    role: str,
    llm: "Llm",
    sending: "Sending",
    conversations: Mapping[str, Messages],
    parse: Callable[[dict[str, Any]], T],
    schema: dict[str, Any] | None = None,
) -> Asked[T]:
    """Ask the teacher of `role` about each row and parse its replies.

    conversations: row id -> messages; schema: the JSON schema of a reply. A reply that `parse` rejects is answered with
    the reason, at most `llm.repairs` times; then the row goes to the failures. Replies are taken from the store where
    the exact request is in it. Raises UserError if more than `llm.max_failure_rate` of the rows fail.
    """

    def talk(row_id: str) -> Talk[T]:
        return Talk(row_id, role, llm, conversations[row_id], parse, schema)

    with Store(home() / "responses") as store:
        sender = sending_side.Sender(store, stage, role, getattr(llm, role), sending)
        known = recall(store, conversations, talk, sender.expect)
        again = known.last_keys if sender.retry_failures else {}
        values, failures = known.values, {i: f for i, f in known.failures.items() if i not in again}
        asked_for = {*known.pending, *again}
        to_ask = [row_id for row_id in conversations if row_id in asked_for]
        sender.announce(len(conversations), len(to_ask), len(failures))

        def over(each: Talk[T]) -> None:
            if each.failure is not None:
                failures[each.row_id] = each.failure
            else:
                values[each.row_id] = each.value

        sender.run(talk, to_ask, over, set(again.values()))
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
