"""Intervals against published values and their invariants; summaries against figures worked out by hand."""

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from star1.errors import UserError
from star1.evaluation.intervals import average, paired_change, proportion
from star1.evaluation.statistics import plots, summarise, summary
from tests.judgements import with_success


def table(both: int, only_model: int, only_base: int, neither: int) -> tuple[list[int], list[int]]:
    """The two models' successes for a 2 x 2 table."""
    model = [1] * both + [1] * only_model + [0] * only_base + [0] * neither
    base = [1] * both + [0] * only_model + [1] * only_base + [0] * neither
    return model, base


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # R. G. Newcombe, Statistics in Medicine 17, 857-872, 1998, table I, method 3.
    [(81, 263, 25.53, 36.62), (15, 148, 6.24, 16.05), (0, 20, 0.0, 16.11), (1, 29, 0.61, 17.18)],
)
def test_proportion_has_the_published_wilson_limits(successes: int, n: int, low: float, high: float) -> None:
    found = proportion(successes, n)
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.006)
    assert found["value"] == pytest.approx(100 * successes / n)


@pytest.mark.parametrize(
    ("cells", "low", "high"),
    # The first: Newcombe, Statistics in Medicine 17, 2635-2650, 1998, method 10. The second: airway hyperresponsiveness
    # before and after a transplantation, in Fagerland, Lydersen and Laake, Statistics in Medicine 33, 2850-2875, 2014.
    [((36, 12, 2, 0), 5.69, 34.04), ((1, 1, 7, 12), -50.7, -2.6)],
)
def test_paired_change_has_the_published_limits(cells: tuple[int, int, int, int], low: float, high: float) -> None:
    found = paired_change(*table(*cells))
    assert (found["low"], found["high"]) == pytest.approx((low, high), abs=0.06)


def test_pairing_narrows_the_interval_where_the_models_agree() -> None:
    together = paired_change(*table(45, 5, 0, 50))
    apart = paired_change(*table(25, 25, 20, 30))
    assert together["value"] == apart["value"] == pytest.approx(5.0)
    assert together["high"] - together["low"] < 0.6 * (apart["high"] - apart["low"])


def test_nothing_measured_is_no_value_and_the_widest_interval() -> None:
    assert proportion(0, 0) == {"value": None, "low": 0.0, "high": 100.0, "n": 0}
    assert paired_change([], []) == {"value": None, "low": -100.0, "high": 100.0, "n": 0}
    assert average([proportion(0, 0)]) == {"value": None, "low": 0.0, "high": 100.0, "n": 0}


def test_wrong_arguments_raise() -> None:
    with pytest.raises(ValueError, match="5 of 4"):
        proportion(5, 4)
    with pytest.raises(ValueError, match="same prompts"):
        paired_change([1, 0], [1])


@given(st.integers(1, 20000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_proportion_holds_its_value_within_0_and_100(case: tuple[int, int]) -> None:
    successes, n = case
    found = proportion(successes, n)
    assert 0 <= found["low"] <= found["value"] <= found["high"] <= 100
    assert found["low"] < found["high"]
    mirrored = proportion(n - successes, n)
    assert (100 - mirrored["high"], 100 - mirrored["low"]) == pytest.approx((found["low"], found["high"]))


rates = st.sampled_from([0.0, 0.25, 0.5, 1.0])


@given(st.lists(st.tuples(rates, rates), min_size=1, max_size=60))
def test_paired_change_holds_its_value_and_swaps_sign_with_its_models(pairs: list[tuple[float, float]]) -> None:
    model, base = [x for x, _ in pairs], [y for _, y in pairs]
    found, swapped = paired_change(model, base), paired_change(base, model)
    assert -100 - 1e-9 <= found["low"] <= found["value"] <= found["high"] <= 100 + 1e-9
    assert (-swapped["high"], -swapped["value"], -swapped["low"]) == pytest.approx(
        (found["low"], found["value"], found["high"]), abs=1e-9
    )


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(50, 400)), min_size=1, max_size=6))
def test_average_of_benchmarks_is_unweighted_and_narrower_than_its_widest_part(counts: list[tuple[int, int]]) -> None:
    parts = [proportion(successes, n) for successes, n in counts]
    found = average(parts)
    assert found["value"] == pytest.approx(sum(100 * s / n for s, n in counts) / len(counts))
    assert found["low"] >= -1e-9
    assert found["high"] <= 100 + 1e-9
    assert found["high"] - found["low"] <= max(part["high"] - part["low"] for part in parts) + 1e-9


def judgements() -> pd.DataFrame:
    """Two models; A has 4 prompts and B has 2, so that the unweighted average differs from the pooled one."""
    rows = []

    def add(suite: str, benchmark: str, label: str | None, category: str | None, base: str, star1: str) -> None:
        for model, verdict in (("base", base), ("star1", star1)):
            rows.append((model, suite, benchmark, f"{benchmark}-{len(rows) // 2}", category, label, verdict))

    for base, star1 in [("answered", "refused")] * 3 + [("refused", "garbled")]:
        add("safety", "A", None, "Self-Harm", base, star1)
    for base, star1 in [("answered", "refused"), ("answered", "refused")]:
        add("safety", "B", None, None, base, star1)
    for base, star1 in [
        ("answered", "refused"),
        ("answered", "answered"),
        ("answered", "garbled"),
        ("answered", "partial"),
    ]:
        add("over_refusal", "XSTest", "lookalike", None, base, star1)
    for base, star1 in [("answered", "answered"), ("garbled", "answered")]:
        add("over_refusal", "XSTest", "plain", None, base, star1)
    for base, star1 in [("correct", "correct"), ("correct", "wrong"), ("truncated", "wrong"), ("correct", "correct")]:
        add("reasoning", "Arithmetic", None, None, base, star1)
    columns = ["model", "suite", "benchmark", "prompt_id", "category", "label", "verdict"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


BASES = {"base": "base", "star1": "base"}


def details_of(rows: pd.DataFrame, bases: dict[str, str] = BASES) -> dict[str, Any]:
    return summarise(with_success(rows), bases)


def test_headline_figures_are_those_worked_out_by_hand() -> None:
    assert summary(details_of(judgements())) == {
        "safety": {"base": 12.5, "star1": 87.5},
        "over_refusal": {"base": 83.33, "star1": 50.0},
        "reasoning": {"base": 75.0, "star1": 50.0},
    }


def test_a_run_is_compared_with_its_own_base() -> None:
    rows = judgements()
    better = rows[rows["model"] == "base"].assign(model="other")
    better["verdict"] = better["verdict"].replace("truncated", "correct")
    tuned = rows[rows["model"] == "star1"].assign(model="tuned")
    bases = BASES | {"other": "other", "tuned": "other"}
    found = details_of(pd.concat([rows, better, tuned], ignore_index=True), bases)["suites"]["reasoning"]
    changes = {model: figures["change"]["value"] for model, figures in found.items() if "change" in figures}
    assert changes == {"star1": -25.0, "tuned": -50.0}


def test_the_paper_s_reading_stands_beside_the_strict_one() -> None:
    rows = judgements()
    rows["paper_verdict"] = rows["verdict"].replace({"truncated": "correct", "garbled": "refused"})
    details = details_of(rows)
    assert details["suites"]["reasoning"]["base"]["average"]["value"] == 75.0
    assert details["suites"]["reasoning"]["base"]["paper"]["average"]["value"] == 100.0
    assert details["suites"]["safety"]["star1"]["paper"]["benchmarks"]["A"]["change"]["value"] == 75.0


def test_details_hold_counts_intervals_and_categories() -> None:
    details = details_of(judgements())
    star1 = details["suites"]["safety"]["star1"]
    assert (details["bases"], details["models"]) == (BASES, ["base", "star1"])
    assert star1["benchmarks"]["A"]["counts"] == {"refused": 3, "answered": 0, "garbled": 1}
    assert star1["benchmarks"]["A"]["change"]["value"] == 50.0
    assert star1["average"]["n"] == 6
    assert star1["average"]["low"] < 87.5 < star1["average"]["high"]
    assert list(star1["categories"]) == ["Self-Harm"]
    assert star1["categories"]["Self-Harm"]["n"] == 4
    lookalike = details["suites"]["over_refusal"]["star1"]["labels"]["lookalike"]
    assert lookalike["counts"] == {"answered": 1, "partial": 1, "refused": 1, "garbled": 1}
    assert details["suites"]["reasoning"]["base"]["benchmarks"]["Arithmetic"]["counts"] == {
        "correct": 3,
        "wrong": 0,
        "truncated": 1,
    }
    assert "change" not in details["suites"]["safety"]["base"]
    assert json.loads(json.dumps(details, allow_nan=False)) == details


def test_order_of_prompts_changes_nothing() -> None:
    rows, columns = judgements(), ["model", "suite", "benchmark", "prompt_id"]
    forwards, backwards = (rows.sort_values(columns, ascending=[True, True, True, up]) for up in (True, False))
    assert details_of(forwards) == details_of(backwards)


def test_several_replies_to_a_prompt_count_as_one_prompt() -> None:
    rows = judgements()
    doubled = pd.concat([rows, rows.assign(verdict=rows["verdict"].replace("refused", "answered"))], ignore_index=True)
    details = details_of(doubled)
    part = details["suites"]["safety"]["star1"]["benchmarks"]["A"]
    assert (part["n"], part["value"]) == (4, 37.5)
    assert part["counts"] == {"refused": 3, "answered": 3, "garbled": 2}


def test_change_is_measured_on_common_prompts_only() -> None:
    rows = judgements()
    lost = rows[~((rows["model"] == "base") & (rows["prompt_id"] == "A-3"))]
    details = details_of(lost)
    part = details["suites"]["safety"]["star1"]["benchmarks"]["A"]
    assert (part["n"], part["value"]) == (4, 75.0)
    assert (part["change"]["n"], part["change"]["value"]) == (3, 100.0)


def test_guard_verdicts_and_missing_labels_are_understood() -> None:
    rows = judgements()
    rows["label"] = None
    guard = rows["verdict"].map({"refused": "safe", "answered": "unsafe", "garbled": "safe"})
    rows["verdict"] = rows["verdict"].where(rows["suite"] != "safety", guard)
    rows["thinking_verdict"] = guard.where(rows["suite"] == "safety", None)
    details = details_of(rows)
    assert details["suites"]["safety"]["star1"]["average"]["value"] == 100.0
    assert details["suites"]["safety"]["star1"]["parts"]["thinking"]["counts"] == {"safe": 6, "unsafe": 0}
    assert details["suites"]["over_refusal"]["star1"]["labels"]["all"]["value"] == 50.0


def test_figures_of_thoughts_are_averaged_over_benchmarks_as_those_of_whole_outputs() -> None:
    rows = judgements()
    rows = rows[rows["suite"] == "safety"].reset_index(drop=True)
    rows["thinking_verdict"] = rows["second_verdict"] = rows["second_thinking_verdict"] = rows["verdict"]
    details = details_of(rows)["suites"]["safety"]
    for figures in (details["star1"], details["star1"]["second"]):
        thoughts = figures["parts"]["thinking"]
        assert {name: thoughts[name] for name in figures["average"]} == figures["average"]
        assert (thoughts["value"], thoughts["change"]) == (87.5, figures["change"])
        assert thoughts["counts"] == {"refused": 5, "answered": 0, "garbled": 1}
    assert "change" not in details["base"]["parts"]["thinking"]


def test_thoughts_that_some_benchmarks_have_are_compared_there() -> None:
    rows = judgements()
    rows["thinking_verdict"] = rows["verdict"].where((rows["model"] == "star1") | (rows["benchmark"] == "A"), None)
    thoughts = details_of(rows)["suites"]["safety"]["star1"]["parts"]["thinking"]
    assert (thoughts["value"], thoughts["n"]) == (87.5, 6)
    assert (thoughts["change"]["value"], thoughts["change"]["n"]) == (50.0, 4)


def test_several_samples_of_a_prompt_are_no_more_prompts_to_the_agreement_of_two_judges() -> None:
    rows = judgements()
    second = rows["verdict"].replace({"garbled": "refused"})
    rows["second_verdict"] = second.where(rows["prompt_id"] != "A-0", "refused")
    samples = pd.concat([rows.assign(sample=number) for number in range(4)], ignore_index=True)
    once, again = (details_of(each)["suites"]["safety"]["star1"]["second"]["agreement"] for each in (rows, samples))
    assert again == once


def test_a_model_that_lacks_a_benchmark_is_refused_in_one_line() -> None:
    rows = judgements()
    with pytest.raises(UserError, match="of model star1 lacks B") as error:
        details_of(rows[~((rows["model"] == "star1") & (rows["benchmark"] == "B"))])
    assert "\n" not in str(error.value)


def test_plot_rows_have_one_bar_each() -> None:
    details = details_of(judgements())
    found = plots(details)
    for rows, names in (
        (found["benchmarks"], ("benchmark", "model")),
        (found["over_refusal"], ("label", "verdict", "model")),
    ):
        assert len({tuple(row[name] for name in names) for row in rows}) == len(rows)
    assert {"label": "lookalike", "verdict": "refused", "order": 2, "model": "star1", "share": 25.0} in found[
        "over_refusal"
    ]
    bar = next(row for row in found["benchmarks"] if (row["benchmark"], row["model"]) == ("A", "star1"))
    assert (bar["suite"], bar["share"]) == ("safety", 75.0)
    assert bar["low"] < 75 < bar["high"]
