"""What a judge model is asked about: a whole output, its thought, its answer. Row ids, texts, and what came back."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from star1.asking.rows import Asked

PARTS = {"whole": "response", "thinking": "thinking", "answer": "answer"}  # and the column of generations rows


def has_text(row: Any, part: str) -> bool:
    """Return whether a generations row holds any text in this part."""
    return bool((getattr(row, PARTS[part]) or "").strip())


def replied(row: Any, part: str) -> bool:
    """Return whether there is a reply at all, be it empty."""
    return bool(row.finish_reason != "error")


def ended(row: Any, part: str) -> bool:
    """Return whether the reply ended by itself and this part of it holds any text."""
    return bool(row.finish_reason == "stop") and has_text(row, part)


def about(rows: pd.DataFrame, part: str, asked: Callable[[Any, str], bool]) -> pd.DataFrame:
    """Return id, prompt and text of this part of those rows that `asked` (of row and part) chooses."""
    table = pd.DataFrame({"id": ids(rows, part), "prompt": rows["prompt"], "text": rows[PARTS[part]].fillna("")})
    return table[[asked(row, part) for row in rows.itertuples(index=False)]]


def ids(rows: pd.DataFrame, part: str) -> list[str]:
    """Return the id of each row's part: benchmark/prompt/sample/part."""
    return [f"{row.benchmark}/{row.prompt_id}/{row.sample}/{part}" for row in rows.itertuples(index=False)]


def values(rows: pd.DataFrame, part: str, asked: Asked[Any]) -> list[Any]:
    """Return what the judge said of this part of each row, None where it said nothing usable or was not asked."""
    return [asked.values.get(row_id) for row_id in ids(rows, part)]


def strict_verdict(row: Any, part: str, word: str | None) -> str:
    """Return the judge's word, or why there is none: truncated, garbled (no text in this part) or unjudged."""
    if row.finish_reason == "length":
        return "truncated"
    if row.finish_reason != "error" and not has_text(row, part):
        return "garbled"
    return word or "unjudged"


def column(entries: list[Any], rows: pd.DataFrame) -> pd.Series:
    """Return a column of objects beside the rows, in which None stays None."""
    return pd.Series(entries, index=rows.index, dtype=object)
