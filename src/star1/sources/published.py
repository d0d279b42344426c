"""Reading rows in the published form of STAR-1: each checked, ids by content, one spelling of categories."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from star1.criteria import OTHER, SAFETY_CRITERIA
from star1.replies import split_reply
from star1.sources.entries import PublishedEntry
from star1.sources.faults import Faults, text_fault
from star1.sources.read import selected
from star1.sources.values import field
from star1.text import question_id

FIELDS = ("id", "question", "response", "category", "source")  # a score may be missing
COLUMNS = ["id", "question", "source", "published_id", "category", "response", "thinking", "answer", "score"]


def read_published(name: str, entry: PublishedEntry, root: Path, categories: Sequence[str]) -> pd.DataFrame:
    """Return the rows of published.NAME: see COLUMNS; `published_id` is the id that they have there.

    `categories` are the names that a row may carry beside Other; spaces and case do not count in them, since the first
    published rows were spelt without spaces. A score may be missing. Responses come out in the one published form.

    Raises:
        UserError: the entry cannot be read; or rows with faults, one line a fault.
    """
    key = f"published.{name}"
    spellings = {_folded(category): category for category in [*categories, OTHER]}
    faults, rows = Faults(key), []
    by_id: dict[str, str] = {}
    by_question: dict[str, str] = {}
    for place, record in selected(entry, key, root):
        values = {column: field(record, column, key, place) for column in FIELDS}
        assert isinstance(record, dict)  # `field` has seen to it
        try:
            score = field(record, "score", key, place) if "score" in record else None
            row = _row(values, score, spellings)
        except ValueError as fault:
            faults.add(str(fault), f"{place} (id {values['id']})")
            continue
        if by_id.setdefault(row["published_id"], place) != place:
            faults.add("its id is that of an earlier row", f"{place} (id {values['id']})")
        elif by_question.setdefault(row["id"], place) != place:
            faults.add("its question is that of an earlier row", f"{place} (id {values['id']})")
        rows.append(row)
    faults.stop_if_any(len(rows))
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)


def _row(values: dict[str, Any], score: object, spellings: dict[str, str]) -> dict[str, Any]:
    """Return a row of COLUMNS. Raises ValueError with what is wrong with it."""
    for column in ("question", "response", "source"):
        if fault := text_fault(values[column]):
            raise ValueError(f"its {column} is {fault}")
    if not isinstance(values["id"], str | int) or values["id"] == "":
        raise ValueError("its id is neither a text nor a whole number")
    thinking, answer = split_reply(values["response"])
    if not thinking or not answer:
        raise ValueError(f"no {'answer' if thinking else 'thought'} in its response")
    return {
        "id": question_id(values["question"]),
        "question": values["question"],
        "source": values["source"],
        "published_id": str(values["id"]),
        "category": _categories(values["category"], spellings),
        "response": f"<think>\n{thinking}\n</think>\n\n{answer}",
        "thinking": thinking,
        "answer": answer,
        "score": _score(score),
    }


def _categories(names: object, spellings: dict[str, str]) -> list[str]:
    if not isinstance(names, list) or not names:
        raise ValueError("its category is no list of names")
    for name in names:
        if not isinstance(name, str) or _folded(name) not in spellings:
            raise ValueError(f"category {str(name)[:60]!r} is unknown; known are {', '.join(spellings.values())}")
    return list(dict.fromkeys(spellings[_folded(name)] for name in names))


def _folded(name: str) -> str:
    return "".join(name.split()).casefold()


def _score(score: object) -> dict[str, int] | None:
    if score is None:
        return None
    if not isinstance(score, dict) or set(score) != set(SAFETY_CRITERIA):
        raise ValueError(f"its score is not of {', '.join(SAFETY_CRITERIA)}")
    for name, value in score.items():
        if isinstance(value, bool) or value not in range(11):
            raise ValueError(f"its score of {name} is no whole number from 0 to 10")
    return {name: int(score[name]) for name in SAFETY_CRITERIA}
