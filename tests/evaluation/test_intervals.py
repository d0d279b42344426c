"""Intervals over items with several samples: closed forms, invariants, and coverage by simulation."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import brentq

from star1.evaluation.intervals import Z, paired_change, pass_at_k, proportion, share, t_quantile

items = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)).map(lambda pair: (min(pair), 8)), min_size=1)


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_one_sample_an_item_is_wilsons_interval(successes: list[bool]) -> None:
    found = share([int(each) for each in successes], [1] * len(successes))
    assert found == pytest.approx(proportion(sum(successes), len(successes)))


def test_several_samples_have_the_interval_worked_out_by_hand() -> None:
    correct = [0, 1, 1, 2, 2, 2, 3, 3, 4, 2] * 10
    means = np.array(correct) / 4
    # n_eff p (1 - p) = 25 / D effective items weigh D' against one item more, with the variance 1/4 and D = 1.
    design = brentq(lambda d: (25 / d * means.var(ddof=1) / 0.25 + 0.25) / (25 / d + 0.25) - d, 0.25, 1)
    freedom = min(2 * 100 / (stats.kurtosis(means, fisher=False) - 1), 99) / (1 - 0.25 / design) ** 2
    p, n = 0.5, 100 / design * (Z / stats.t.ppf(0.975, freedom)) ** 2
    assert 320 < n < 330
    low, high = np.roots([1 + Z * Z / n, -(2 * p + Z * Z / n), p * p])[::-1]  # Wilson's limits solve |p - x| = Z s(x)
    found = share(correct, [4] * 100)
    assert (found["value"], found["low"], found["high"]) == pytest.approx((50, 100 * low, 100 * high))
    assert found["n"] == 100


def test_samples_narrow_the_interval_down_to_that_of_as_many_items_and_no_further() -> None:
    one = share([1] * 15 + [0] * 15, [1] * 30)
    split = share([16] * 15 + [0] * 15, [16] * 30)
    equal = share([8] * 30, [16] * 30)
    assert split == pytest.approx(one), "items that always or never succeed count once, however often they are asked"
    many = proportion(240, 480)
    assert 1 < (equal["high"] - equal["low"]) / (many["high"] - many["low"]) < 1.02


def test_one_right_reply_of_many_says_hardly_more_than_none() -> None:
    none, one = share([0] * 30, [16] * 30), share([1] + [0] * 29, [16] * 30)
    assert one["high"] == pytest.approx(none["high"], rel=0.05)


@pytest.mark.parametrize("right", [0, 16])
def test_none_and_all_keep_a_width(right: int) -> None:
    found = share([right] * 30, [16] * 30)
    assert found == pytest.approx(proportion(right // 16 * 30, 30))


@given(items)
def test_a_share_holds_its_value_within_0_and_100(counts: list[tuple[int, int]]) -> None:
    correct, samples = [c for c, _ in counts], [n for _, n in counts]
    for found in (share(correct, samples), pass_at_k(correct, samples, 3)):
        assert 0 <= found["low"] <= found["value"] + 1e-9 <= found["high"] + 2e-9 <= 100 + 3e-9
        assert found["low"] < found["high"]
    mirrored = share([8 - c for c in correct], samples)
    assert (100 - mirrored["high"], 100 - mirrored["low"]) == pytest.approx(
        (share(correct, samples)["low"], share(correct, samples)["high"])
    )


def test_items_may_have_different_numbers_of_samples() -> None:
    assert share([1, 1], [1, 4])["value"] == pytest.approx(62.5)


def test_no_items_have_no_value() -> None:
    assert share([], []) == {"value": None, "low": 0.0, "high": 100.0, "n": 0}


@given(items, st.integers(1, 8))
def test_pass_at_k_is_the_chance_that_k_draws_without_replacement_hold_a_right_one(
    counts: list[tuple[int, int]], k: int
) -> None:
    expected = np.mean([1 - comb(n - c, k) / comb(n, k) for c, n in counts])
    assert pass_at_k([c for c, _ in counts], [n for _, n in counts], k)["value"] == pytest.approx(100 * expected)


def test_pass_at_k_of_many_samples_does_not_overflow() -> None:
    assert pass_at_k([1, 0], [100_000, 100_000], 50_000)["value"] == pytest.approx(25)


@pytest.mark.parametrize(
    ("correct", "samples", "k"), [([1], [1], 2), ([2], [1], 1), ([-1], [1], 1), ([1], [1, 1], 1), ([0], [0], 1)]
)
def test_counts_that_cannot_be_are_refused(correct: list[int], samples: list[int], k: int) -> None:
    with pytest.raises(ValueError, match=f"pass@{k} needs"):
        pass_at_k(correct, samples, k)


def test_changes_of_several_samples_have_the_paired_t_interval() -> None:
    rng = np.random.default_rng(0)
    base = rng.binomial(16, 0.5, 200) / 16
    model = np.clip(base + rng.integers(-2, 4, 200) / 16, 0, 1)
    found = paired_change(model.tolist(), base.tolist())
    low, high = stats.ttest_rel(model, base).confidence_interval(0.95)
    assert found["value"] == pytest.approx(100 * (model - base).mean())
    # Its degrees of freedom are 199; ours are fewer or as many, and change the quantile by less than 1 % here.
    assert (found["low"], found["high"]) == pytest.approx((100 * low, 100 * high), rel=0.01)
    assert found["high"] - found["low"] >= 100 * (high - low) - 1e-9


def test_equal_differences_keep_a_width() -> None:
    found = paired_change([0.75] * 20, [0.5] * 20)
    assert found["value"] == pytest.approx(25)
    assert found["low"] < 15
    assert found["high"] > 35


def test_outliers_take_degrees_of_freedom() -> None:
    spread, outlier = np.array([0.0, 1.0] * 15), np.array([0.0] * 29 + [0.1])
    assert t_quantile(spread) == pytest.approx(stats.t.ppf(0.975, 29))
    assert t_quantile(outlier) == pytest.approx(
        stats.t.ppf(0.975, 2 * 30 / (stats.kurtosis(outlier, fisher=False) - 1))
    )
    assert t_quantile(outlier) > 1.5 * t_quantile(spread)
    assert t_quantile(spread, 0.5) == pytest.approx(stats.t.ppf(0.975, 4 * 29)), "the known half has no uncertainty"


@pytest.mark.parametrize(("n", "lowest", "highest"), [(30, 92.9, 97.5), (200, 93, 97.5), (500, 93, 97.5)])
@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95])
def test_one_sample_covers_the_true_rate(n: int, lowest: float, highest: float, rate: float) -> None:
    limits = [proportion(c, n) for c in range(n + 1)]
    chances = stats.binom.pmf(range(n + 1), n, rate)
    covered = sum(p for p, each in zip(chances, limits, strict=True) if each["low"] <= 100 * rate <= each["high"])
    assert lowest < 100 * covered < highest


@pytest.mark.parametrize(("n", "samples"), [(30, 4), (30, 16), (200, 4), (200, 16)])
@pytest.mark.parametrize("spread", [0.5, 8, None])
@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_several_samples_cover_the_true_rate(n: int, samples: int, spread: float | None, rate: float) -> None:
    rng = np.random.default_rng(46)
    runs, covered = 1_000, 0
    for _ in range(runs):
        own = np.full(n, rate) if spread is None else rng.beta(rate * spread, (1 - rate) * spread, n)
        found = share(rng.binomial(samples, own), np.full(n, samples))
        covered += found["low"] <= 100 * rate <= found["high"]
    # 93 to 97.5, and two standard errors of the simulation.
    assert 91.6 < 100 * covered / runs < 98.6
