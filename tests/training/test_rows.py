"""Which rows a run trains on, in which form of thought, and what rows it refuses."""

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star1.errors import UserError
from star1.training.examples import response_text
from star1.training.rows import count_rows, drawn, read_rows, training_rows
from star1.training.settings import Run


def run(**keys: Any) -> Run:
    plain = {
        "data": "star1",
        "score": None,
        "sample": None,
        "epochs": 1,
        "steps_of": "star1",
        "think": "full",
        "base": "miniature",
        "launch": "cpu",
        "train": {},
    }
    return Run.model_validate(plain | keys)


def rows(*responses: Any, question: Any = "How?") -> pd.DataFrame:
    ids = [f"id{number}" for number in range(len(responses))]
    return pd.DataFrame({"id": ids, "question": question, "response": responses}, dtype=object)


@pytest.mark.parametrize(
    ("think", "response"), [("full", response_text("hm", "no")), ("empty", response_text("", "no")), ("none", "no")]
)
def test_forms_of_thought(think: str, response: str) -> None:
    assert training_rows(rows(response_text("hm", "no")), run(think=think), 0) == [("How?", response)]


@given(count=st.integers(1, 30), sample=st.integers(1, 40) | st.none(), seed=st.integers(0, 2**32 - 1))
def test_drawn_rows_keep_their_order(count: int, sample: int | None, seed: int) -> None:
    table = rows(*[response_text("hm", str(number)) for number in range(count)])
    chosen = drawn(table, run(sample=sample), seed)
    assert len(chosen) == min(count, sample or count)
    assert chosen.index.is_monotonic_increasing and chosen.index.is_unique
    assert chosen.equals(drawn(table, run(sample=sample), seed))
    assert training_rows(table, run(sample=sample), seed) == list(
        zip(chosen["question"], chosen["response"], strict=True)
    )


GOOD = response_text("hm", "no")


@pytest.mark.parametrize(
    ("table", "think", "says"),
    [
        (rows(), "full", "no row in it to train on"),
        (rows(GOOD, "no"), "full", r"row id1: no thought .* think: empty or none"),
        (rows(GOOD, response_text("", "no"), "no", "no"), "full", "row id1 and 2 more: no thought"),
        (rows(GOOD, response_text("hm", " ")), "full", "row id1: no answer"),
        (rows(GOOD, "<think>\nhm"), "none", "row id1: no answer"),
        (rows(GOOD, None), "empty", "row id1: no answer"),
        (rows(GOOD, question=None), "full", "row id0: no question"),
        (rows(GOOD, question=float("nan")), "full", "row id0: no question"),
        (rows(GOOD, question="\n"), "none", "row id0: no question"),
    ],
)
def test_rows_that_cannot_be_trained_on(table: pd.DataFrame, think: str, says: str) -> None:
    with pytest.raises(UserError, match=rf"\Adata/star1.parquet: [^\n]*{says}[^\n]*\Z"):
        training_rows(table, run(think=think), 0)


def test_each_fault_has_its_line() -> None:
    with pytest.raises(UserError) as caught:
        training_rows(rows("no", None, "no"), run(), 0)
    assert [line.partition(";")[0] for line in str(caught.value).splitlines()] == [
        "data/star1.parquet: row id0 and 1 more: no thought in its response",
        "data/star1.parquet: row id1: no answer in its response",
    ]


OWN = {"id": ["1"], "question": ["How?"], "response": [GOOD]}


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"question": ["How?"], "response": [GOOD], "score": [{"a": 9}]}, "no column id; add one, a name for each"),
        ({"question": ["How?"]}, "no column id, response, score; name rows with a response."),
        (OWN, "no column score; set score of the run to null."),
        (OWN | {"score": [9.0]}, "row 1: its score is not a number for each criterion; mend it, or set score of the"),
        (OWN | {"score": [{"a": 9, "b": None}]}, "row 1: its score is not a number for each criterion"),
    ],
)
def test_tables_that_are_no_training_set(tmp_path: Path, columns: dict[str, Any], says: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "x.parquet")
    with pytest.raises(UserError, match=rf"\Adata/own/x.parquet: {says}[^\n]*\Z"):
        read_rows(tmp_path / "x.parquet", run(data="own/x", score={"min": 0, "max": 8}))


def test_a_table_of_the_user_s(tmp_path: Path) -> None:
    """Columns that no run reads may be anything; those that it reads stand there once."""
    odd = {"far": pa.array([10**14], pa.timestamp("s")), "m": pa.array(["x"])}
    arrays = {name: pa.array(values) for name, values in OWN.items()} | odd
    path = tmp_path / "x.parquet"
    pq.write_table(pa.Table.from_arrays([*arrays.values(), odd["m"]], names=[*arrays, "m"]), path)
    assert training_rows(read_rows(path, run(data="own/x")), run(data="own/x"), 0) == [("How?", GOOD)]
    pq.write_table(pa.Table.from_arrays([*arrays.values(), odd["m"]], names=[*arrays, "question"]), path)
    with pytest.raises(UserError, match=r"\Adata/own/x.parquet: two columns are called question; rename one of them."):
        read_rows(path, run(data="own/x"))


def test_steps_are_counted_in_any_table_with_rows(tmp_path: Path) -> None:
    path, counted = tmp_path / "x.parquet", run(steps_of="own/x")
    pq.write_table(pa.table({"question": ["a", "b"]}), path)
    assert count_rows(path, counted) == 2
    pq.write_table(pa.table({"id": pa.array([], pa.string())}), path)
    with pytest.raises(UserError, match=r"\Adata/own/x.parquet: no row in it to count steps of; let steps_of name"):
        count_rows(path, counted)
    path.write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"\A[^\n]*x.parquet: not a whole parquet file \([^\n]*\Z"):
        count_rows(path, counted)
