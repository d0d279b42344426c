"""Values that a file may hold in place of a text: each is a text, nothing, or one line that names row and column."""

import datetime
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from star1.sources.read import NOT_TEXT, NULL, UNDECODABLE

JSONL = {"reader": "jsonl", "path": "a.jsonl"}


def write(folder, *rows: dict[str, Any]) -> None:
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_numbers_and_lists_are_no_questions(tmp_path, source) -> None:
    values = ["fine", 10**30, float("nan"), None, ["a"], {"a": "b"}, 1.5, True]
    write(tmp_path, *({"q": value} for value in values))
    kept, dropped = source(**JSONL, column="q")
    assert kept.question.tolist() == ["fine"]
    assert dropped.reason.tolist() == [NOT_TEXT, NULL, NULL, *[NOT_TEXT] * 4]


@pytest.mark.parametrize("part", ["answer", "label", "category", "prompt_id"])
def test_what_is_no_text_beside_a_prompt(tmp_path, benchmark_rows, part: str, fails) -> None:
    def read(value: object) -> str | None:
        write(tmp_path, {"p": "Why?", "v": value})
        return benchmark_rows(**JSONL, prompt="p", **{part: "v"})[part][0]

    nothing = "0" if part == "prompt_id" else None
    assert (read(10**30), read(2), read(float("nan")), read(None)) == (str(10**30), "2", nothing, nothing)
    for value, says in ((["x"], "a list"), ({"x": 1}, "a mapping"), ([], "a list"), ({}, "a mapping")):
        with fails(f"benchmarks.B.{part}", f"row 0 has {says} in column 'v'"):
            read(value)


def test_odd_columns_of_a_parquet_file(tmp_path, benchmark_rows, fails) -> None:
    columns = {
        "p": ["Why?", "How?"],
        "day": [datetime.date(2024, 1, 31), None],
        "raw": [b"x", b"y"],
        "far": pa.array([0, 10**14], pa.timestamp("s")),  # the year 3,170,843, which Python cannot hold
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    at = {"reader": "parquet", "path": "a.parquet", "prompt": "p"}
    assert benchmark_rows(**at, label="day").label.tolist() == ["2024-01-31", None]
    with fails("benchmarks.B.label", "row 0 has binary data in column 'raw'"):
        benchmark_rows(**at, label="raw")
    with fails("benchmarks.B.label", "column 'far' of row 1 cannot be read as timestamp"):
        benchmark_rows(**at, label="far")


def test_text_of_a_parquet_file_that_is_not_utf8_costs_one_row(tmp_path, source) -> None:
    buffers = [None, pa.py_buffer(np.array([0, 4, 7], np.int32)), pa.py_buffer(b"How?b\xffd")]
    pq.write_table(pa.table({"q": pa.Array.from_buffers(pa.string(), 2, buffers)}), tmp_path / "a.parquet")
    kept, dropped = source(reader="parquet", path="a.parquet", column="q")
    assert kept.question.tolist() == ["How?"] and dropped.reason.tolist() == [UNDECODABLE]


def test_a_column_that_stands_twice_is_no_column(tmp_path, source, fails) -> None:
    (tmp_path / "a.csv").write_text("q,n,q,m,m\nold,1,new,2,3\n")
    arrays = [pa.array([value]) for value in ("old", "1", "new", "2", "3")]
    pq.write_table(pa.Table.from_arrays(arrays, names=["q", "n", "q", "m", "m"]), tmp_path / "a.parquet")
    twin = pa.StructArray.from_arrays([pa.array(["x"]), pa.array(["y"])], names=["b", "b"])
    pq.write_table(pa.Table.from_arrays([twin, pa.array(["Why?"])], names=["a", "q"]), tmp_path / "b.parquet")
    for reader in ("csv", "parquet"):
        at = {"reader": reader, "path": f"a.{reader}"}
        with fails("sources.S.column", "column 'q' of row 0 stands in two columns of that name; rename one"):
            source(**at, column="q")
        with fails("sources.S.where", "column 'm' of row 0 stands in two columns"):
            source(**at, column="n", where={"m": 2})
        assert source(**at, column="n")[0].question.tolist() == ["1"]
    assert source(reader="parquet", path="b.parquet", column="q")[0].question.tolist() == ["Why?"]
    with fails("sources.S.column", "column 'a.b' of row 0 cannot be read as struct"):
        source(reader="parquet", path="b.parquet", column="a.b")


FOUND = [1, 1.0, "1", "1.0", True, "True", "true", 0.1, "0.10", None, "None", [1], 10**20, "snan"]


@pytest.mark.parametrize(
    ("allowed", "equal"),
    [
        (1, [1, 1.0, "1", "1.0"]),
        (1.0, [1, 1.0, "1", "1.0"]),
        ("1", [1, 1.0, "1"]),
        (True, [True, "True", "true"]),
        ("True", [True, "True"]),
        (0.1, [0.1, "0.10"]),
        ("None", ["None"]),
        (10**20, [10**20]),
        (10**20 + 1, []),
    ],
)
def test_where_compares_numbers_as_numbers(tmp_path, source, allowed: Any, equal: list[Any]) -> None:
    write(tmp_path, {"q": "always", "v": allowed}, *({"q": f"{value!r}?", "v": value} for value in FOUND))
    kept, _ = source(**JSONL, column="q", where={"v": allowed})
    assert kept.question.tolist() == ["always", *(f"{value!r}?" for value in equal)]


HIGHEST = {"scores": "s", "of": ["a", "b"], "rows": 1}


@pytest.mark.parametrize(
    ("scores", "says"),
    [
        ({"a": "0.9", "b": "0.1"}, "the score of a in row 1 is '0.9', which is no number"),
        ({"a": 0.9, "b": [1]}, "the score of b in row 1 is '[1]', which is no number"),
        ({"a": True, "b": 0.1}, "the score of a in row 1 is 'True', which is no number"),
        ({"a": 1}, "there is no category 'b' in row 1; its categories are a"),
        ("a", "there is no scores in row 1; it is no mapping"),
    ],
)
def test_scores_that_are_no_numbers(tmp_path, benchmark_rows, scores: object, says: str, fails) -> None:
    write(tmp_path, {"p": "first", "s": {"a": 0.5, "b": 0.1}}, {"p": "second", "s": scores})
    with fails("benchmarks.B.highest", says):
        benchmark_rows(**JSONL, prompt="p", highest=HIGHEST)


def test_a_score_that_is_missing_is_no_score(tmp_path, benchmark_rows) -> None:
    nan = float("nan")
    scores = ({"a": nan, "b": 0.3}, {"a": 0.2, "b": None}, {"a": nan, "b": None}, {"a": 0.1, "b": nan})
    write(tmp_path, *({"p": f"prompt {number}", "s": each} for number, each in enumerate(scores)))
    rows = benchmark_rows(**JSONL, prompt="p", highest=HIGHEST)
    assert list(zip(rows.prompt, rows.category, strict=True)) == [("prompt 1", "a"), ("prompt 0", "b")]
