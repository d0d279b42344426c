"""How every reasoning task grades: extract the answer, compare it, and write the strict and the paper's verdict."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd

VERDICTS = ("correct", "wrong", "no answer", "unjudged", "truncated")
SUCCESS = ("correct",)

Finder = Callable[[str], str | None]


class Claim(NamedTuple):
    """An answer that was found in a reply, beside the right one and the prompt."""

    gold: str
    found: str
    prompt: str


class Outcome(NamedTuple):
    """The word for one claim: correct, wrong or unjudged; and why it is unjudged."""

    word: str
    why: str | None = None


def outcome(equal: bool) -> Outcome:
    """Return correct or wrong."""
    return Outcome("correct" if equal else "wrong")


def graded(
    generations: pd.DataFrame,
    find: Finder,
    fallbacks: Sequence[Finder],
    compare: Callable[[list[Claim]], list[Outcome]],
) -> pd.DataFrame:
    """Return the columns verdict, paper_verdict, extracted and detail for the generations, with their index.

    verdict is strict: only what `find` finds in the answer part counts, else it is "no answer"; a reply that was cut
    off is "truncated". paper_verdict follows the reference's way: cut off or not, the answer part first, and where
    it has none the whole output, thought included, by `find` and then by each of `fallbacks`; "no answer" where that
    finds nothing either. detail says which of the two gave `extracted`: "answer" or "whole"; for an unjudged claim it
    says why instead.
    """
    taken = [
        _take(text(row.answer), text(row.response), find, fallbacks) for row in generations.itertuples(index=False)
    ]
    claims = [
        Claim(str(row.answer_key), found, str(row.prompt))
        for row, (_, found) in zip(generations.itertuples(index=False), taken, strict=True)
        if found is not None
    ]
    outcomes = iter(compare(claims))
    rows = []
    for (where, found), finish_reason in zip(taken, generations["finish_reason"], strict=True):
        paper = next(outcomes) if found is not None else Outcome("no answer")
        strict = paper.word if where == "answer" else "no answer"
        verdict = "truncated" if finish_reason == "length" else strict
        rows.append((verdict, paper.word, found, paper.why or where))
    columns = ["verdict", "paper_verdict", "extracted", "detail"]
    return pd.DataFrame(rows, columns=columns, index=generations.index, dtype=object)


def _take(answer: str, whole: str, find: Finder, fallbacks: Sequence[Finder]) -> tuple[str | None, str | None]:
    found = find(answer)
    if found is not None:
        return "answer", found
    for finder in (find, *fallbacks):
        found = finder(whole)
        if found is not None:
            return "whole", found
    return None, None


def text(value: object) -> str:
    """Return the text of a cell, "" for a missing one."""
    return value if isinstance(value, str) else ""
