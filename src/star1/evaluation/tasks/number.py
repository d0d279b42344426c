"""Tasks with one number for an answer, such as the miniature's sums: the final number, compared exactly."""

import re
from fractions import Fraction
from typing import Any

import pandas as pd

from star1.evaluation.grading.extraction import last_box, last_match
from star1.evaluation.grading.verdicts import SUCCESS, VERDICTS, Claim, Outcome, graded, outcome
from star1.evaluation.task import Task

# A sign counts only where no digit or letter stands before it: "30-40" ends in 40, not in -40.
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?!\w)|(?<=-)\d+(?:\.\d+)?(?!\w)")
# Next to these a number is a part of a formula: \frac{7}{3}, 2^5, 7/3, 5\sqrt{2}.
FORMULA_BEFORE = "{^_/"
FORMULA_BEHIND = re.compile(r"[}^_/]| ?\\[A-Za-z]")
LONGEST = 100


def number_text(text: str) -> str | None:
    """Return the number that the text ends on, as written: the last \\boxed{}, else the last number of the text.

    None where there is none: a box that holds more than one plain number is no number, and neither is a part of a
    formula.
    """
    box = last_box(text)
    if box is not None:
        plain = box.strip("$ ").rstrip(".,")
        return plain if NUMBER.fullmatch(plain) and len(plain) <= LONGEST else None
    last = last_match(NUMBER, text)
    if last is None or len(last.group()) > LONGEST:
        return None
    part = text[: last.start()][-1:] in tuple(FORMULA_BEFORE) or FORMULA_BEHIND.match(text, last.end())
    return None if part else last.group()


def final_number(text: str | None) -> Fraction | None:
    """Return the number that the text ends on (see number_text), or None."""
    number = number_text(text or "")
    return None if number is None else Fraction(number.replace(",", ""))


def correct(answer: str | None, expected: str) -> bool:
    """True when the answer's final number equals the expected one exactly (1,000 = 1000.0). Raises ValueError if
    `expected` is no number.
    """
    wanted = final_number(expected)
    if wanted is None:
        raise ValueError(f"the expected answer {expected!r} is not a number")
    return final_number(answer) == wanted


def fault(row: Any) -> str | None:
    """Return why the row cannot be graded: its key is no number."""
    key = row.answer_key
    return None if isinstance(key, str) and final_number(key) is not None else f"answer_key {key!r} is no number"


def _compare(claims: list[Claim]) -> list[Outcome]:
    return [outcome(correct(claim.found, claim.gold)) for claim in claims]


def grade(generations: pd.DataFrame) -> pd.DataFrame:
    """Return the verdicts by the final number of the answer, in the paper's view of the whole output."""
    return graded(generations, number_text, [], _compare)


TASK = Task(verdicts=VERDICTS, success=SUCCESS, fault=fault, grade=grade, suite="reasoning")
