"""AIME: a whole number in a box, compared as a number; no algebra."""

import re
from typing import Any

import pandas as pd

from star1.evaluation.grading.extraction import answer_line, last_box, number_line
from star1.evaluation.grading.latex import plain, without_unit
from star1.evaluation.grading.verdicts import SUCCESS, VERDICTS, Claim, Outcome, graded, outcome
from star1.evaluation.task import Task

INSTRUCTION = "Work it out step by step. The answer is a whole number; close with it, and nothing but it, in \\boxed{}."
WHOLE = re.compile(r"-?(?:\d{1,3}(?:,\d{3}){1,10}|\d{1,30})(?:\.0{1,10})?")
LONGEST = 1000


def prompt(row: Any) -> str:
    """Return the problem with the instruction below it."""
    return f"{row.prompt}\n\n{INSTRUCTION}"


def whole_number(text: str) -> int | None:
    """Return the whole number that a text is, without leading zeros, its unit, or the "x =" before it; else None."""
    if len(text) > LONGEST:
        return None
    value, _ = without_unit(plain(text).rpartition("=")[2].strip())
    return int(value.partition(".")[0].replace(",", "")) if WHOLE.fullmatch(value) else None


def fault(row: Any) -> str | None:
    """Return why the row cannot be graded: its key is no whole number."""
    key = row.answer_key
    usable = isinstance(key, str) and whole_number(key) is not None
    return None if usable else f"answer_key {key!r} is no whole number"


def _compare(claims: list[Claim]) -> list[Outcome]:
    return [outcome(whole_number(claim.found) == whole_number(claim.gold)) for claim in claims]


def grade(generations: pd.DataFrame) -> pd.DataFrame:
    """Return the verdicts by the last box; a box that holds no whole number is wrong.

    The paper's view also takes, as its reference does, a final answer line, then a line that is only a number. The
    reference then asks GPT-4o whether two unequal texts are equal: left out, whole numbers need no judge.
    """
    return graded(generations, last_box, [answer_line, number_line], _compare)


TASK = Task(verdicts=VERDICTS, success=SUCCESS, prompt=prompt, fault=fault, grade=grade, suite="reasoning")
