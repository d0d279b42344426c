"""Reading a source or a benchmark: records from the reader, then questions, each kept or dropped for a reason."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd

from star1.errors import UserError
from star1.sources.choices import lettered
from star1.sources.entries import BenchmarkEntry, Entry, Frame, LabelledEntry, SourceEntry
from star1.sources.highest import highest_of_each, scores_of_row
from star1.sources.values import equal, field, text_of
from star1.text import question_id

STAGE = "collect"
NULL = "null"
NOT_TEXT = "not text"
EMPTY = "empty"
UNDECODABLE = "undecodable"
TOO_LONG = "too long"
REASONS = (NULL, NOT_TEXT, EMPTY, UNDECODABLE, TOO_LONG)

SOURCE_COLUMNS = ["question", "source", "source_id"]
LINEAGE_COLUMNS = ["id", "source", "stage", "outcome", "reason", "because_of", "value", "detail"]
BENCHMARK_COLUMNS = ["prompt_id", "prompt", "answer", "label", "category"]
LABELLED_COLUMNS = ["prompt_id", "prompt", "response", "label"]


def read_source(name: str, entry: SourceEntry, root: Path, max_chars: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the source's questions and the lineage of the rows that hold none.

    Questions have the columns question (without its frame and surrounding white space), source, source_id; rows that
    `where` leaves out are no part of the source. A dropped row's id is its question's, or, where it has no usable one,
    that of "source source_id"; `detail` is its source_id, `value` the length of one with more than `max_chars`
    characters. Raises UserError if the source cannot be read or has no question.
    """
    key = f"sources.{name}"
    kept, dropped = [], []
    for source_id, record in selected(entry, key, root):
        question = _unframed(field(record, entry.column, f"{key}.column", source_id), entry.frame)
        reason = fault(question, max_chars)
        if reason is None:
            kept.append((question, name, source_id))
            continue
        long = question if reason == TOO_LONG and isinstance(question, str) else None
        row_id = question_id(long or f"{name} {source_id}")
        dropped.append((row_id, name, STAGE, "dropped", reason, None, float(len(long)) if long else None, source_id))
    if not kept:
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(Counter(row[4] for row in dropped).items()))
        raise UserError(f"{key}: no question in it ({why or 'no row; check path, splits and where'}).")
    return pd.DataFrame(kept, columns=SOURCE_COLUMNS, dtype=object), pd.DataFrame(
        dropped, columns=LINEAGE_COLUMNS, dtype=object
    )


def read_benchmark(name: str, entry: BenchmarkEntry, root: Path, max_chars: int) -> pd.DataFrame:
    """Return the benchmark's rows: prompt_id, prompt, answer, label, category (the last three text or None), verbatim.

    A benchmark is whole or it is not that benchmark: a prompt that a source would drop, or a prompt_id that stands
    twice, raises UserError, as does anything that cannot be read.
    """
    key, longest = f"benchmarks.{name}", entry.max_chars or max_chars
    if entry.highest:
        rows = [
            _benchmark_row(entry, key, name_, record, longest, category)
            for category, name_, record in _highest(entry, key, root)
        ]
    else:
        rows = [_benchmark_row(entry, key, name_, record, longest) for name_, record in _first(entry, key, root)]
    return _identified(rows, BENCHMARK_COLUMNS, key)


def read_labelled(name: str, entry: LabelledEntry, root: Path) -> pd.DataFrame:
    """Return the replies that people labelled: prompt_id, prompt, response, label (in the judge's words).

    Raises UserError if the file cannot be read, a row lacks one of these, or a label is none of the entry's `labels`.
    """
    key = f"agreement.{name}"
    rows = [_labelled_row(entry, key, name_, record) for name_, record in _first(entry, key, root)]
    return _identified(rows, LABELLED_COLUMNS, key)


def fault(question: object, max_chars: int) -> str | None:
    """Return why `question` cannot be used, one of REASONS, or None if it can."""
    if question is None:
        return NULL
    if not isinstance(question, str):
        return NOT_TEXT
    if not question:
        return EMPTY
    if len(question) > max_chars:
        return TOO_LONG
    try:
        question.encode("utf-8")
    except UnicodeEncodeError:  # a lone surrogate: bytes that are not UTF-8, see files.opened, or half a JSON escape
        return UNDECODABLE
    return None


def _first(entry: BenchmarkEntry | LabelledEntry, key: str, root: Path) -> list[tuple[str, object]]:
    """Return the records that `where`, `shuffle_seed` and `limit` leave."""
    chosen = list(selected(entry, key, root))
    if entry.shuffle_seed is not None:
        # What datasets.Dataset.shuffle(seed) does, so that a published "first 250 of seed 42" is the same 250 rows.
        order = np.random.default_rng(entry.shuffle_seed).permutation(len(chosen))
        chosen = [chosen[position] for position in order]
    if not chosen:
        raise UserError(f"{key}: no prompt in it; check path, splits and where.")
    if entry.limit is not None and len(chosen) < entry.limit:
        raise UserError(f"{key}.limit: {entry.limit} rows are asked for, and there are only {len(chosen)}.")
    return chosen[: entry.limit]


def _highest(entry: BenchmarkEntry, key: str, root: Path) -> list[tuple[str, str, object]]:
    """Return category, name and record of the best rows of each category."""
    wanted = entry.highest
    assert wanted is not None

    def scores(row: tuple[str, object]) -> dict[str, float | None]:
        found = field(row[1], wanted.scores, f"{key}.highest.scores", row[0])
        return scores_of_row(found, wanted, f"{key}.highest", row[0])

    return highest_of_each(_first(entry, key, root), wanted, scores)


def _identified(rows: Sequence[tuple[str | None, ...]], columns: list[str], key: str) -> pd.DataFrame:
    twice = [prompt_id for prompt_id, count in Counter(row[0] for row in rows).items() if count > 1]
    if twice:
        raise UserError(f"{key}.prompt_id: {twice[0]!r} stands twice; name a column whose values differ, or none.")
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _labelled_row(entry: LabelledEntry, key: str, name: str, record: object) -> tuple[str, str, str, str]:
    def text(part: str, column: str) -> str:
        value = text_of(record, column, f"{key}.{part}", name)
        if value is None or (value == "" and part != "response"):
            raise UserError(f"{key}.{part}: row {name} has nothing in column {column!r}.")
        return value

    label = text("label", entry.label)
    if entry.labels is not None and label not in entry.labels:
        raise UserError(f"{key}.labels: row {name} has the label {label!r}; known are {', '.join(entry.labels)}.")
    prompt_id = text("prompt_id", entry.prompt_id) if entry.prompt_id else name
    word = entry.labels[label] if entry.labels else label
    return prompt_id, text("prompt", entry.prompt), text("response", entry.response), word


def selected(entry: Entry, key: str, root: Path) -> Iterator[tuple[str, object]]:
    """Yield the reader's records that satisfy `where`. The entry has checked that the reader is one of a closed set."""
    for source_id, record in import_module(f"star1.sources.{entry.reader}").records(entry, key, root):
        if all(
            any(equal(field(record, column, f"{key}.where", source_id), value) for value in allowed)
            for column, allowed in entry.where.items()
        ):
            yield source_id, record


def _unframed(text: object, frame: Frame | None) -> object:
    if not isinstance(text, str):
        return text
    text = text.strip()
    if frame is not None:
        text = text.removeprefix(frame.prefix.strip()).removesuffix(frame.suffix.strip()).strip()
    return text


def _benchmark_row(
    entry: BenchmarkEntry, key: str, name: str, record: object, max_chars: int, category: str | None = None
) -> tuple[str, str, str | None, str | None, str | None]:
    if entry.reader == "miniature":
        assert isinstance(record, dict)
        return name, record["prompt"], record["answer"], record["label"], record["category"]

    def text(part: str, column: str) -> str | None:
        return text_of(record, column, f"{key}.{part}", name)

    prompt = field(record, entry.prompt, f"{key}.prompt", name)
    reason = fault(prompt.strip() if isinstance(prompt, str) else prompt, max_chars)
    if reason is not None:
        raise UserError(f"{key}.prompt: row {name} is {reason} (at most {max_chars} characters); a benchmark is whole.")
    assert isinstance(prompt, str)
    prompt_id = (text("prompt_id", entry.prompt_id) if entry.prompt_id else None) or name
    label = text("label", entry.label) if entry.label else None
    category = text("category", entry.category) if entry.category else category
    answer: str | None = None
    if isinstance(entry.answer, tuple):
        answer = json.dumps({column: text("answer", column) for column in entry.answer})
    elif entry.answer:
        answer = text("answer", entry.answer)
    if entry.choices:
        prompt, answer = lettered(entry, key, record, name, prompt_id, prompt, answer)
    return prompt_id, prompt, answer, label, category
