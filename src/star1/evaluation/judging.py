"""Verdicts on one model's replies, task by task."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from star1.asking.questions import Questions
from star1.asking.rows import Asked
from star1.errors import UserError
from star1.evaluation.tasks import names, task_of
from star1.replies import split_reply

SECOND = ("second", "second_thinking", "second_answer")  # what the second judge says of whole, thought and answer
VIEWS = ("paper", "thinking", "answer")  # on which a judge may have a verdict of its own
GIVEN = ("verdict", *(f"{view}_verdict" for view in VIEWS), "hazards", "extracted", "detail")


def questions_by_task(rows: pd.DataFrame, prompts: Path) -> dict[str, Questions[Any]]:
    """Return what the judges that are models are asked about generations, by task; prompts: the folder of prompts."""
    found = {}
    for name in dict.fromkeys(rows["task"]):
        make_questions = task_of(name).ask
        if make_questions is not None:
            found[name] = make_questions(rows[rows["task"] == name], prompts)
    return found


def labelled_replies(labelled: pd.DataFrame, judge: str, task: str) -> pd.DataFrame:
    """Return replies that people labelled as rows of generations, which the judge of a task can be asked about.

    labelled: prompt_id, prompt, response. All replies count as ended: nobody knows of a reply's limit.
    """
    parts = [split_reply(response) for response in labelled["response"]]
    return labelled.assign(
        task=task,
        benchmark=judge,
        sample=0,
        thinking=pd.Series([thinking for thinking, _ in parts], index=labelled.index, dtype=object),
        answer=pd.Series([answer for _, answer in parts], index=labelled.index, dtype=object),
        answer_key=None,
        finish_reason="stop",
    )


def rows_to_judge(rows: pd.DataFrame, second_judges: Mapping[str, str]) -> pd.DataFrame:
    """Return generations and, below them, those of the suites with a second judge again, with its task."""
    again = [rows[rows["suite"] == suite].assign(task=task) for suite, task in second_judges.items()]
    return pd.concat([rows, *again], ignore_index=True)


def judge_of(task: str, llm: Any) -> str | None:
    """Return the name of the model that judges a task's replies, of the params `llm`; None where no model does."""
    role = task_of(task).role
    return None if role is None else str(getattr(llm, role).model)


def verdict_words() -> list[str]:
    """Return the verdicts of all tasks, for the quality gate."""
    return sorted({word for name in names() for word in task_of(name).verdicts})


def judged(rows: pd.DataFrame, asked: Mapping[str, Asked[Any]]) -> pd.DataFrame:
    """Return judgements of generations, in their order; `asked`: what the judges that are models said, by task.

    Raises UserError where a task gives a verdict that it does not name.
    """
    parts = []
    for name in dict.fromkeys(rows["task"]):
        task, of_task = task_of(name), rows[rows["task"] == name]
        if task.grade is not None:
            verdicts = task.grade(of_task)
        elif task.read is not None:
            verdicts = task.read(of_task, asked[name])
        else:
            raise UserError(f"evaluation/tasks/{name}.py: TASK has neither grade nor read.")
        unknown = sorted(set(verdicts["verdict"]) - set(task.verdicts))
        if unknown:
            raise UserError(f"evaluation/tasks/{name}.py: {unknown[0]!r} is not one of its verdicts.")
        nothing = pd.Series(None, index=of_task.index, dtype=object)
        given = of_task.assign(**{column: verdicts.get(column, nothing) for column in GIVEN})
        parts.append(_with_success(given, task.success))
    return pd.concat(parts).loc[rows.index]


def with_second(
    judgements: pd.DataFrame, second_judges: Mapping[str, str], asked: Mapping[str, Asked[Any]]
) -> pd.DataFrame:
    """Return judgements with what the second judges say, in the columns second_verdict, second_success and so on."""
    columns = {f"{view}_{kind}": None for view in SECOND for kind in ("verdict", "success")}
    judgements = judgements.assign(**{name: pd.Series(None, judgements.index, dtype=object) for name in columns})
    for suite, task in second_judges.items():
        own = judgements["suite"] == suite
        # Without what the first judge gave: a task may return the rows that it got, with its own columns added.
        found = judged(judgements.loc[own].drop(columns=list(GIVEN)).assign(task=task), asked)
        for name in columns:
            first = name.removeprefix("second_")
            judgements.loc[own, name] = found[first]
    return judgements


def _with_success(rows: pd.DataFrame, success: tuple[str, ...]) -> pd.DataFrame:
    """Add, beside each verdict, whether it counts."""

    def counts(column: str) -> pd.Series:
        counted = [word in success if isinstance(word, str) else None for word in rows[column]]
        return pd.Series(counted, rows.index, dtype=object)

    views = {f"{view}_success": counts(f"{view}_verdict") for view in VIEWS}
    return rows.assign(success=counts("verdict"), **views)
