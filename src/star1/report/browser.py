"""metrics/browser: all judged replies, and all questions with what became of them, to be looked through in a browser.

A folder of static files that opens from disk. index.html and browser.js show two views; a view is an index
(data/VIEW.js: what is listed, filtered and searched) and files of texts (data/VIEW-NUMBER.js, PER_FILE entries each),
which are read as they are shown. A file calls `star1(NAME, VALUE)`, because a page from disk may run scripts beside it
and may not fetch. Texts stay as they are in the data; browser.js prints them as text and spells out what is hidden.
"""

import json
import shutil
from collections.abc import Hashable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from star1.files import write_text
from star1.report.page import FOLDER, style, templates

PER_FILE = 500  # entries; a page of the browser reads one such file or two
LONGEST = 20_000  # characters of a text, whatever room there is
MIB = 2**20
ALL, HEADS, ANSWERS = 58 * MIB, 8 * MIB, 6 * MIB  # bytes of the folder, of an index's texts, of STAR-1's responses
LEAST = 12 * MIB  # the replies' texts have the room that the rest of the folder leaves, and this much if it leaves less
PUNCTUATION = 24  # bytes of brackets, commas and lengths of a reply whose texts are cut
FACTS = {
    "answer_key": "right answer",
    "extracted": "taken for the answer",
    "detail": "detail",
    "paper_verdict": "as the paper counts",
    "thinking_verdict": "the thought alone",
    "answer_verdict": "the answer alone",
}
Text = str | tuple[str, int] | None  # whole, or the beginning and the number of characters, or none


def write(folder: Path, judgements: dict[str, pd.DataFrame], questions: pd.DataFrame) -> None:
    """Write the browser to `folder`, which is emptied first.

    judgements: model -> its rows. questions: the rows of `star1.report.questions.questions`. At 50,000 replies and
    41,000 questions the folder has less than 60 MiB: where texts do not fit, the longest are cut and say so.
    """
    shutil.rmtree(folder, ignore_errors=True)
    page = templates().get_template("browser.html").render(css=style())
    write_text(folder / "index.html", page)
    write_text(folder / "browser.js", (FOLDER / "browser.js").read_text(encoding="utf-8"))
    index, texts = _questions(questions)
    _write_data(folder, "questions", index | {"per_file": PER_FILE})
    _write_texts(folder, "questions", texts)
    index, rows = _replies(judgements)
    _write_data(folder, "replies", index | {"per_file": PER_FILE})
    taken = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    _write_texts(folder, "replies", _reply_texts(rows, ALL - taken))


def _write_texts(folder: Path, name: str, texts: list[Any]) -> None:
    for number, first in enumerate(range(0, len(texts), PER_FILE)):
        _write_data(folder, f"{name}-{number}", texts[first : first + PER_FILE])


def _write_data(folder: Path, name: str, value: Any) -> None:
    literal = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    write_text(folder / f"data/{name}.js", f"star1({json.dumps(name)},{literal});\n")


def _replies(judgements: dict[str, pd.DataFrame]) -> tuple[dict[str, Any], pd.DataFrame]:
    """Return the index of the replies, model by model, and their rows in its order."""
    rows = pd.concat([rows.assign(model=model) for model, rows in judgements.items()], ignore_index=True)
    unended = rows["answer"].isna() & rows["thinking"].isna()
    rows["answer"] = rows["answer"].where(~unended, rows["response"])
    names = rows["benchmark"] + ":" + rows["prompt_id"]
    numbers, _ = pd.factorize(names + "\0" + rows["prompt"])
    firsts = np.unique(numbers, return_index=True)[1]
    prompts = cut(rows["prompt"].iloc[firsts], HEADS)
    index = {
        "fields": {
            name: _field(rows[column])
            for name, column in {
                "model": "model",
                "suite": "suite",
                "benchmark": "benchmark",
                "kind": "label",
                "verdict": "verdict",
            }.items()
        },
        "heads": list(zip(names.iloc[firsts], prompts, strict=True)),
        "head": numbers.tolist(),
        "sample": rows["sample"].tolist(),
    }
    return index, rows


def _reply_texts(rows: pd.DataFrame, room: int) -> list[Any]:
    """Return [thinking, answer, facts] of each reply, cut so that all take about `room` bytes."""
    facts = [_facts(row) for row in rows[[name for name in FACTS if name in rows]].to_dict("records")]
    room -= len(json.dumps(facts, ensure_ascii=False).encode()) + PUNCTUATION * len(rows)
    both = cut([*rows["thinking"], *rows["answer"]], max(room, LEAST))
    return list(zip(both[: len(rows)], both[len(rows) :], facts, strict=True))


def _facts(row: dict[Hashable, Any]) -> list[str]:
    known = {name: row[name] for name in FACTS if name in row and isinstance(row[name], str) and row[name]}
    return [f"{FACTS[name]}: {value[:300]}" for name, value in known.items()]


def _questions(rows: pd.DataFrame) -> tuple[dict[str, Any], list[Any]]:
    """Return the index of the questions and their texts: [thinking, answer, life]."""
    index = {
        "fields": {
            "source": _field(rows["source"]),
            "category": _field(rows["category"]),
            "fate": _field(rows["fate"]),
        },
        "heads": list(zip(rows["id"], cut(rows["question"], HEADS), strict=True)),
        "head": list(range(len(rows))),
    }
    both = cut([*rows["thinking"], *rows["answer"]], ANSWERS)
    return index, list(zip(both[: len(rows)], both[len(rows) :], rows["life"], strict=True))


def _field(values: Iterable[Any]) -> dict[str, Any]:
    """Return {"names", "of"}: the names in the order of their first row, and each entry's number or list of numbers."""
    names: dict[str, int] = {}

    def number(value: Any) -> Any:
        if isinstance(value, list):
            return [number(each) for each in value]
        return names.setdefault(value, len(names)) if isinstance(value, str) else -1

    of = [number(value) for value in values]
    return {"names": list(names), "of": of}


def cut(texts: Iterable[Any], room: int) -> list[Text]:
    """Return the texts, the longest cut to one length so that all take about `room` bytes; no text is None."""
    given = [text if isinstance(text, str) else None for text in texts]
    sizes = np.array([0 if text is None else len(json.dumps(text, ensure_ascii=False).encode()) for text in given])
    longest = _longest(sizes, room)
    return [text if text is None else _beginning(text, size, longest) for text, size in zip(given, sizes, strict=True)]


def _longest(sizes: Sequence[int] | np.ndarray, room: int) -> int:
    """Return the largest length, LONGEST at most, for which the sum of min(size, length) is within `room`."""
    ordered = np.sort(sizes)
    shorter = np.concatenate([[0], np.cumsum(ordered)[:-1]])  # what all before it take whole
    needed = shorter + ordered * np.arange(len(ordered), 0, -1)
    over = np.flatnonzero(needed > room)
    if not len(over):
        return LONGEST
    first = over[0]
    return min(LONGEST, int((room - shorter[first]) // (len(ordered) - first)))


def _beginning(text: str, size: int, longest: int) -> Text:
    """Return a text, or its beginning of about `longest` bytes and how many characters it has."""
    if size <= longest + 2:
        return text
    return text[: len(text) * longest // size], len(text)
