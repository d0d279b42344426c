"""What the stages that ask a model share: a conversation for each row, and the account of what came back.

Each of them has a function `task` that says whom to ask what; the stage sends it, `star1 estimate` prices it, and
`star1 responses gc` keeps what it needs. So none of these can mean another request than the others.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pandas as pd

from star1.llm.asking import Asked, ask_rows
from star1.llm.requests import Messages
from star1.pipeline.stage import Stage, left_rows

T = TypeVar("T")


class Conversations(Mapping[str, Messages]):
    """Each row's conversation by its id, made when it is read: 41K of them at once would take 300 MB."""

    def __init__(self, rows: pd.DataFrame, messages: Callable[[Any], Messages]) -> None:
        self._rows = {str(row.id): row for row in rows.itertuples(index=False)}
        self._messages = messages

    def __getitem__(self, row_id: str) -> Messages:
        return self._messages(self._rows[row_id])

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


@dataclass(frozen=True)
class Task(Generic[T]):
    """Whom a stage asks about which rows, what it says of each, and how it reads a reply."""

    role: str
    rows: pd.DataFrame
    messages: Callable[[Any], Messages]
    parse: Callable[[dict[str, Any]], T]
    schema: dict[str, Any] | None = None  # of the JSON that a reply holds

    @property
    def conversations(self) -> Conversations:
        """Each row's conversation by its id."""
        return Conversations(self.rows, self.messages)


def ask_teacher(stage: Stage, task: Task[T]) -> Asked[T]:
    """Ask the teacher about each row of the task and write the failures."""
    params = stage.params
    asked = ask_rows(stage.label, task.role, params.llm, params.sending, task.conversations, task.parse, task.schema)
    stage.write("failures", asked.failures, stage=stage.label)
    return asked


def without_reply(rows: pd.DataFrame, asked: Asked[Any]) -> pd.DataFrame:
    """Return the lineage rows of those among `rows` that got no usable reply."""
    return left_rows(rows[rows["id"].isin(asked.failures["id"])], "failed", "no usable reply")


def with_values(rows: pd.DataFrame, asked: Asked[Any], *names: str) -> pd.DataFrame:
    """Return the rows that got a value, in order, with it as new columns: itself under one name, or its attributes."""
    answered = rows[rows["id"].isin(asked.values)].reset_index(drop=True)
    values = [asked.values[row_id] for row_id in answered["id"]]
    for name in names:
        column = values if len(names) == 1 else [getattr(value, name) for value in values]
        answered[name] = pd.Series(column, dtype=object)
    return answered
