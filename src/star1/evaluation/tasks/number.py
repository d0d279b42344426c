"""Sums of the miniature world: the final number of the answer, compared exactly."""

import pandas as pd

from star1.evaluation.reasoning import correct, final_number
from star1.evaluation.task import Task


def _graded(rows: pd.DataFrame) -> pd.DataFrame:
    verdicts = []
    for row in rows.to_dict("records"):
        if row["finish_reason"] == "length":
            verdicts.append("truncated")
        elif final_number(row["answer"]) is None:
            verdicts.append("no answer")
        else:
            verdicts.append("correct" if correct(row["answer"], row["answer_key"]) else "wrong")
    return pd.DataFrame({"verdict": verdicts}, index=rows.index, dtype=object)


def _fault(row: object) -> str | None:
    key = getattr(row, "answer_key", None)
    return None if isinstance(key, str) and final_number(key) is not None else f"its answer {key!r} is not a number"


TASK = Task(verdicts=("correct", "wrong", "no answer", "truncated"), success=("correct",), fault=_fault, grade=_graded)
