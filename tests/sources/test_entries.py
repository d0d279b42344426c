"""Entries: one clear message for each mistake."""

import datetime
from typing import Any

import pytest
from pydantic import ValidationError

from star1.sources.entries import BenchmarkEntry, SourceEntry

HUB = {"reader": "hub", "path": "data/mirror", "dataset": "owner/name", "revision": "0" * 40, "column": "q", "ngram": 8}
CSV = {"reader": "csv", "path": "a.csv", "column": "q", "ngram": 8}


def message(model: type, keys: dict[str, Any]) -> str:
    with pytest.raises(ValidationError) as error:
        model(**keys)
    (mistake,) = error.value.errors()
    return f"{'.'.join(map(str, mistake['loc']))}: {mistake['msg']}"


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({**CSV, "reader": "xml"}, "Input should be 'csv', 'json', 'jsonl', 'parquet', 'text', 'hub' or 'miniature'"),
        ({**CSV, "colum": "q"}, "colum: Extra inputs are not permitted"),
        ({**CSV, "column": None}, "reader csv needs column"),
        ({**CSV, "rows": 3}, "reader csv has no use for rows; it takes path, column, delimiter,"),
        ({**CSV, "path": "../a.csv"}, "path inside the repository"),
        ({**CSV, "path": "/etc/passwd"}, "path inside the repository"),
        (
            {**CSV, "path": "data/mirror/a.csv"},
            "neither git nor DVC keeps data/mirror/a.csv; move the file to data/own",
        ),
        ({**CSV, "ngram": 0}, "greater than 0"),
        ({**CSV, "delimiter": "||"}, "at most 1 character"),
        ({**CSV, "sha256": "abc"}, "64 hex digits"),
        ({**CSV, "sha256": ["0" * 64, "1" * 64]}, "2 given for 1 files"),
        ({**CSV, "url": "file:///etc/passwd"}, "must start with https://"),
        ({**CSV, "delimiter": '"'}, "delimiter: Value error, a quote or a line's end cannot stand between two values"),
        ({**CSV, "delimiter": "\n"}, "delimiter: Value error, a quote or a line's end cannot stand between two values"),
        ({**CSV, "where": {"a": []}}, "at least 1 item"),
        (
            {**CSV, "where": {"a": None}},
            "where.a: Value error, must be texts, numbers, true or false, and null is none",
        ),
        (
            {**CSV, "where": {"a": ["x", {"b": 1}]}},
            "must be texts, numbers, true or false, and {'b': 1} is none of these",
        ),
        ({**CSV, "where": {"a": datetime.date(2024, 1, 31)}}, "and 2024-01-31 is none of these; quote a date"),
        ({**HUB, "revision": "v2"}, "a commit hash of 40 hex digits, because a branch or tag moves"),
        ({**HUB, "dataset": "../../etc"}, "dataset: String should match pattern"),
        ({key: HUB[key] for key in HUB if key != "revision"}, "reader hub needs revision"),
        ({"reader": "miniature", "path": "w", "rows": 5, "ngram": 8}, "reader miniature needs seed"),
        ({"reader": "text", "path": "a.txt", "column": "q", "ngram": 8}, "reader text has no use for column"),
    ],
)
def test_each_mistake_has_one_message(keys: dict[str, Any], says: str) -> None:
    assert says in message(SourceEntry, keys)


def test_benchmark_entries() -> None:
    keys = {"reader": "csv", "path": "a.csv", "prompt": "p", "suite": "safety"}
    assert BenchmarkEntry(**keys).limit is None
    assert "suite: Input should be" in message(BenchmarkEntry, {**keys, "suite": "speed"})
    assert "choices need answer" in message(BenchmarkEntry, {**keys, "choices": ["a", "b"]})
    assert "ngram" in message(BenchmarkEntry, {**keys, "ngram": 8})
    for answer in (3, [], ["a", 3], {"a": "b"}):
        assert "answer: Value error, must name a column, or a list" in message(
            BenchmarkEntry, {**keys, "answer": answer}
        )


def test_one_value_and_a_list_of_one_are_the_same() -> None:
    assert SourceEntry(**{**HUB, "splits": "train"}) == SourceEntry(**{**HUB, "splits": ["train"]})
