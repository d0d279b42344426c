"""The full-score filter, and the diversity selection against the paper's formula in exact fractions."""

from fractions import Fraction
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star1.selection import CATEGORY_OTHER, COPY, NOT_FULL_SCORE, OVER_REPRESENTED, first_of_each, full_score, select

CATEGORIES = [
    "Self-Harm",
    "Intellectual Property",
    "Privacy / Personal Data",
    "Violence / Physical Harm",
    "Sexual / Adult",
]


def frame(rows: list[tuple[str, list[str]]]) -> pd.DataFrame:
    """Return rows from (source, category), with ids whose order is not that of the rows."""
    ids = [f"{(number * 7919) % 10007:04x}" for number in range(len(rows))]
    return pd.DataFrame({"id": ids, "source": [row[0] for row in rows], "category": [row[1] for row in rows]})


def plainly(rows: pd.DataFrame, k: int) -> list[tuple[str, Fraction]]:
    """Return the (id, probability) of each removal: P(source) * sum of P(category) of every row, anew at each step."""
    left = [(row.id, row.source, set(row.category)) for row in rows.itertuples()]
    removed = []
    while len(left) > k:
        labels = [category for _, _, categories in left for category in categories]
        sources = [source for _, source, _ in left]
        probability = {
            row_id: Fraction(sources.count(source), len(left))
            * sum((Fraction(labels.count(category), len(labels)) for category in categories), Fraction(0))
            for row_id, source, categories in left
        }
        goes = max(left, key=lambda row: (probability[row[0]], row[0]))
        removed.append((goes[0], probability[goes[0]]))
        left.remove(goes)
    return removed


row = st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from(CATEGORIES), max_size=4))


@settings(max_examples=100)
@given(st.lists(row, max_size=25), st.integers(0, 30), st.randoms(use_true_random=False))
def test_removals_are_those_of_the_formula_in_any_order(
    rows: list[tuple[str, list[str]]], k: int, random: Random
) -> None:
    given_rows = frame(rows)
    kept, lineage = select(given_rows, k)
    expected = plainly(given_rows, k)
    assert lineage["id"].tolist() == [row_id for row_id, _ in expected]
    np.testing.assert_allclose(lineage["value"], [float(value) for _, value in expected], rtol=1e-12)
    assert kept == [row_id for row_id in given_rows["id"] if row_id not in set(lineage["id"])]
    assert len(kept) == min(k, len(rows))

    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled, shuffled_lineage = select(given_rows.iloc[order], k)
    assert sorted(shuffled) == sorted(kept)
    pd.testing.assert_frame_equal(shuffled_lineage, lineage)


def test_the_lineage_tells_each_step() -> None:
    rows = frame([("a", ["Self-Harm"]), ("a", ["Self-Harm", "Self-Harm"]), ("b", ["Sexual / Adult"])])
    kept, lineage = select(rows, 1)
    assert kept == ["0000"]
    # Two of three rows are of source a, two of three labels Self-Harm; then all that is left are equals.
    assert lineage["value"].tolist() == pytest.approx([4 / 9, 1 / 4])
    assert lineage["detail"].tolist() == ["step 1 of 2", "step 2 of 2"]
    assert set(lineage["reason"]) == {OVER_REPRESENTED}
    assert set(lineage["stage"]) == {"select"}
    assert lineage["because_of"].isna().all()
    assert lineage["source"].tolist() == ["a", "b"]


def test_ids_must_be_unique() -> None:
    with pytest.raises(ValueError, match="unique"):
        select(frame([("a", []), ("b", [])]).assign(id="same"), 1)


def test_full_score_keeps_tens_that_have_a_policy() -> None:
    ten = {"safe": 10, "relevant": 10, "accurate": 10}
    rows = frame([("a", ["Self-Harm"]), ("a", ["Self-Harm"]), ("b", ["Other"]), ("b", ["Sexual / Adult", "Other"])])
    rows["score"] = [ten, ten | {"accurate": 7, "safe": 9}, ten, ten]
    kept, lineage = full_score(rows, 10)
    assert kept == rows["id"].tolist()[:1]
    assert lineage["id"].tolist() == rows["id"].tolist()[1:]
    assert lineage["reason"].tolist() == [NOT_FULL_SCORE, CATEGORY_OTHER, CATEGORY_OTHER]
    assert lineage["value"].tolist()[0] == 7
    assert lineage["value"].isna().tolist() == [False, True, True]
    assert lineage["detail"].tolist()[0] == "safe 9, accurate 7"
    assert full_score(rows, 7)[0] == rows["id"].tolist()[:2]
    assert full_score(rows, 11)[0] == []


def test_of_copies_the_first_with_a_score_stays() -> None:
    ten, five = {"safe": 10}, {"safe": 5}
    copies = [("x", "a", None), ("y", "a", None), ("x", "b", ten), ("z", "b", ten), ("x", "c", five), ("y", "c", None)]
    rows = pd.DataFrame(copies, columns=["id", "source", "score"], dtype=object)
    kept, lineage = first_of_each(rows)
    assert kept.to_dict("split")["data"] == [["y", "a", None], ["x", "b", ten], ["z", "b", ten]]
    assert list(zip(lineage["id"], lineage["source"], strict=True)) == [("x", "a"), ("x", "c"), ("y", "c")]
    assert set(lineage["reason"]) == {COPY}
    assert [len(frame) for frame in first_of_each(rows.head(0))] == [0, 0]


def test_both_survive_parquet(tmp_path: Path) -> None:
    """Artifacts come from parquet, where lists are arrays and empty frames have no rows to tell a type from."""
    five = {"safe": 5, "relevant": 5}
    rows = frame([("a", ["Self-Harm", "Sexual / Adult"]), ("b", ["Other"]), ("b", [])]).assign(score=[five, five, five])
    rows.to_parquet(tmp_path / "rows.parquet")
    read = pd.read_parquet(tmp_path / "rows.parquet")
    assert full_score(read, 5)[0] == full_score(rows, 5)[0] == rows["id"].tolist()[::2]
    pd.testing.assert_frame_equal(select(read, 1)[1], select(rows, 1)[1])
    for empty in (select(read, 3)[1], full_score(read.head(1), 5)[1], select(read.head(0), 3)[1]):
        assert len(empty) == 0
        assert empty["value"].dtype == np.float64
