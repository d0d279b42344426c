"""Agreement of a judge with people: published values, a numerical derivative, and coverage."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from star1.evaluation.agreement import agreement, kappa

PSYCHIATRISTS = np.array([[75, 1, 4], [5, 4, 1], [0, 0, 10]])
"""100 patients, J. L. Fleiss, B. Levin and M. C. Paik, Statistical Methods for Rates and Proportions, 2003, 18.1."""


def test_kappa_and_its_standard_error_are_the_published_ones() -> None:
    found = kappa(PSYCHIATRISTS)
    assert found["value"] == pytest.approx(0.676, abs=0.001)
    assert (found["high"] - found["low"]) / (2 * 1.96) == pytest.approx(0.088, abs=0.001)


def test_agreement_counts_what_both_said() -> None:
    found = agreement(["a", "a", "b", "c"], ["a", "b", "b", "b"])
    assert found["confusion"] == {
        "a": {"a": 1, "b": 1, "c": 0},
        "b": {"a": 0, "b": 1, "c": 0},
        "c": {"a": 0, "b": 1, "c": 0},
    }
    assert (found["agreed"]["value"], found["agreed"]["n"]) == (50, 4)


tables = st.lists(st.integers(0, 30), min_size=9, max_size=9).map(lambda cells: np.array(cells).reshape(3, 3))


@given(tables)
def test_the_value_is_that_of_scikit_learn_and_the_error_that_of_a_numerical_derivative(table: np.ndarray) -> None:
    found, n = kappa(table), int(table.sum())
    if found["value"] is None or found["value"] == 1:
        return
    people, judge = np.repeat(np.indices((3, 3)).reshape(2, -1), table.ravel(), axis=1)
    assert found["value"] == pytest.approx(cohen_kappa_score(people, judge), abs=1e-9)
    assert -1 <= found["low"] <= found["value"] <= found["high"] <= 1

    def of(shares: np.ndarray) -> float:
        expected = shares.sum(axis=0) @ shares.sum(axis=1)
        return float((np.trace(shares) - expected) / (1 - expected))

    shares, step = table / n, 1e-6
    slope = np.array(
        [(of(shares + step * cell) - of(shares - step * cell)) / (2 * step) for cell in np.eye(9).reshape(9, 3, 3)]
    )
    variance = (shares.ravel() @ slope**2 - (shares.ravel() @ slope) ** 2) / n
    assert found["low"] == pytest.approx(max(-1, found["value"] - 1.96 * sqrt(max(variance, 0))), abs=2e-3)


def test_the_interval_covers_the_true_kappa() -> None:
    shares = PSYCHIATRISTS / 100
    true, rng = kappa(PSYCHIATRISTS)["value"], np.random.default_rng(46)
    found = [kappa(rng.multinomial(225, shares.ravel()).reshape(3, 3)) for _ in range(2_000)]
    covered = np.mean([each["low"] <= true <= each["high"] for each in found])
    assert 0.93 < covered < 0.975


def test_full_agreement_keeps_a_width_and_one_label_has_no_kappa() -> None:
    full = agreement(["a", "b"] * 20, ["a", "b"] * 20)["kappa"]
    assert full["value"] == 1
    assert 0.7 < full["low"] < 0.9
    assert agreement(["a"] * 20, ["a"] * 20)["kappa"] == {"value": None, "low": -1.0, "high": 1.0, "n": 20}
    assert agreement([], [])["agreed"]["value"] is None


def test_several_replies_to_a_prompt_are_no_more_prompts() -> None:
    people, judge = ["a", "a", "b", "c"] * 5, ["a", "b", "b", "b"] * 5
    once = agreement(people, judge)
    prompts = [str(number) for number in range(20)]
    again = agreement(people * 4, judge * 4, prompts * 4)
    for figure in ("agreed", "kappa"):
        assert again[figure] == pytest.approx(once[figure]), "four equal replies to a prompt say no more than one"
    unlike = agreement(people * 4, judge * 4, [str(number) for number in range(80)])
    assert unlike["agreed"]["n"] == 80
    assert unlike["kappa"] == pytest.approx(agreement(people * 4, judge * 4)["kappa"])
    full = agreement(["a", "b"] * 40, ["a", "b"] * 40, prompts * 4)["kappa"]
    assert full == pytest.approx(agreement(["a", "b"] * 10, ["a", "b"] * 10)["kappa"])


def test_the_interval_covers_the_true_kappa_of_clustered_replies() -> None:
    """100 prompts with four replies each: what both say of a prompt's replies is mostly the same."""
    rng, found, true = np.random.default_rng(46), [], kappa(PSYCHIATRISTS)["value"]
    cells = np.array([["aa", "ab", "ac", "ba", "bb", "bc", "ca", "cb", "cc"]])[0]
    for _ in range(400):
        first = rng.choice(9, 100, p=PSYCHIATRISTS.ravel() / 100)
        alike = rng.random((4, 100)) < 0.8
        said = cells[np.where(alike, first, rng.choice(9, (4, 100), p=PSYCHIATRISTS.ravel() / 100))].ravel()
        people, judge = [each[0] for each in said], [each[1] for each in said]
        found.append(agreement(people, judge, [str(n) for n in range(100)] * 4)["kappa"])
    covered = np.mean([each["low"] <= true <= each["high"] for each in found])
    assert 0.92 < covered < 0.98


def test_labels_of_other_replies_are_refused() -> None:
    with pytest.raises(ValueError, match="got 1 and 2"):
        agreement(["a"], ["a", "b"])
