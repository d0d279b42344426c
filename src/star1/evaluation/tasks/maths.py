"""MATH-500: a mathematical expression in a box, equal to the right one by math-verify in worker processes."""

from typing import Any

import pandas as pd

from star1.evaluation.grading.equality import LONGEST, compare
from star1.evaluation.grading.extraction import answer_line, balanced, last_box
from star1.evaluation.grading.verdicts import SUCCESS, VERDICTS, graded
from star1.evaluation.task import Task

INSTRUCTION = "Work it out step by step. Close with the final answer, and nothing but the answer, in \\boxed{}."


def prompt(row: Any) -> str:
    """Return the problem with the instruction below it."""
    return f"{row.prompt}\n\n{INSTRUCTION}"


def fault(row: Any) -> str | None:
    """Return why the row cannot be graded: its key is no formula. A cheap check; math-verify is not imported for it."""
    key = row.answer_key
    if not isinstance(key, str) or not any(char.isalnum() for char in key):
        return f"answer_key {key!r} is no mathematical expression"
    if len(key) > LONGEST:
        return f"answer_key has more than {LONGEST:,} characters"
    return None if balanced(key) else f"answer_key {key!r} has braces that do not match"


def grade(generations: pd.DataFrame) -> pd.DataFrame:
    """Return the verdicts by the last box. The paper's view also takes the last final answer line, where there is no
    box: its reference has a model extract the answer from the end of the output.
    """
    return graded(generations, last_box, [answer_line], compare)


TASK = Task(verdicts=VERDICTS, success=SUCCESS, prompt=prompt, fault=fault, grade=grade, suite="reasoning")
