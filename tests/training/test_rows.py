"""Which rows a run trains on, in which form of thought, and what rows it refuses."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star1.errors import UserError
from star1.training.examples import response_text
from star1.training.rows import drawn, training_rows
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
