"""Multiple choice (GPQA-Diamond, MMLU-Pro): up to ten options, and the last letter that the answer names.

Whoever reads the benchmark writes the options into the prompt, "A. ..." a line, and the right letter into answer_key
(see `choices` of a benchmark's entry); this task adds the instruction.
"""

from string import ascii_uppercase
from typing import Any

import pandas as pd

from star1.evaluation.grading.extraction import chosen_letter, lone_letter
from star1.evaluation.grading.verdicts import SUCCESS, VERDICTS, Claim, Outcome, graded, outcome
from star1.evaluation.task import Task

LETTERS = ascii_uppercase[:10]
INSTRUCTION = (
    'Think it through step by step. Close with a line of the form "Answer: X", where X is the letter of your choice.'
)


def prompt(row: Any) -> str:
    """Return the question and its options with the instruction below them."""
    return f"{row.prompt}\n\n{INSTRUCTION}"


def fault(row: Any) -> str | None:
    """Return why the row cannot be graded: its key is no letter, or its prompt has no such option."""
    key = row.answer_key
    if not isinstance(key, str) or len(key) != 1 or key not in LETTERS:
        return f"answer_key {key!r} is no letter from A to {LETTERS[-1]}"
    return (
        None if f"\n{key}. " in row.prompt else f'answer_key is {key}, and no line of the prompt starts with "{key}. "'
    )


def _compare(claims: list[Claim]) -> list[Outcome]:
    return [outcome(claim.found == claim.gold) for claim in claims]


def grade(generations: pd.DataFrame) -> pd.DataFrame:
    """Return the verdicts by the last letter named.

    The paper's view falls back on the whole output and then, as MMLU-Pro's reference does, on the last capital that
    stands alone in it. The reference's random letter is left out: it is no answer of the model.
    """
    return graded(generations, chosen_letter, [lone_letter], _compare)


TASK = Task(verdicts=VERDICTS, success=SUCCESS, prompt=prompt, fault=fault, grade=grade, suite="reasoning")
