"""What the stages that ask a model share: a conversation for each row, and the account of what came back.

Each of them has a function `task` that says whom to ask what; the stage sends it, `star1 estimate` prices it, and
`star1 responses gc` keeps what it needs. So none of these can mean another request than the others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import pandas as pd

from star1.artifacts import ARTIFACTS
from star1.asking.rows import Asked, ask_rows
from star1.llm.requests import Messages
from star1.pipeline.stage import Stage, left_rows

if TYPE_CHECKING:
    from star1.llm.settings import Teacher

T = TypeVar("T")


@dataclass(frozen=True)
class Questions(Generic[T]):
    """Whom to ask about which rows (id and what `messages` needs), what to say of each, and how to read a reply.

    schema: of the JSON that a reply holds. settings: further fields of a row's request. teacher: llm.ROLE if None.
    repairs: how often a reply that does not fit is asked again; llm.repairs if None.
    """

    role: str
    rows: pd.DataFrame
    messages: Callable[[Any], Messages]
    parse: Callable[[dict[str, Any]], T]
    schema: dict[str, Any] | None = None
    settings: Callable[[Any], dict[str, Any]] | None = None
    teacher: "Teacher | None" = None
    repairs: int | None = None


def teacher_of(stage: Stage, questions: Questions[Any]) -> "Teacher":
    """Return whom the questions go to: their own teacher, or that of their role in the params."""
    found: Teacher = questions.teacher or getattr(stage.params.llm, questions.role)
    return found


def ask_teacher(stage: Stage, questions: Questions[T], write_failures: bool = True) -> Asked[T]:
    """Ask about each row and write the failures."""
    asked = ask_rows(stage.label, questions, teacher_of(stage, questions), stage.params.llm, stage.params.sending)
    if write_failures:
        stage.write("failures", asked.failures, stage=stage.label)
    return asked


def ask_judges(stage: Stage, by_task: Mapping[str, Questions[Any]]) -> dict[str, Asked[Any]]:
    """Ask the judges of several tasks and write their failures as one table; say in a line what stays unjudged."""
    asked = {task: ask_teacher(stage, questions, write_failures=False) for task, questions in by_task.items()}
    for task, found in asked.items():
        if len(found.failures):
            most = found.failures["reason"].value_counts().index[0]
            print(
                f"{stage.label}: unjudged: {len(found.failures):,} of {len(by_task[task].rows):,} texts that the judge "
                f"of task {task} was asked about; most often: {most}"
            )
    nothing = pd.DataFrame(columns=list(ARTIFACTS["failures"].columns))
    failures = pd.concat([nothing, *(found.failures for found in asked.values())], ignore_index=True)
    stage.write("failures", failures, stage=stage.label)
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
