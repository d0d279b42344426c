"""The figures on the page: beside the paper's, by the second judge, and how far judges agree with people."""

from dataclasses import replace

import pandas as pd
import pytest

from star1.evaluation.agreement import agreement
from star1.evaluation.statistics import summarise
from star1.report.page import build
from star1.report.paper import SIZES, reported
from star1.report.results import beside_paper
from tests.judgements import with_success
from tests.report.test_page import Page, evaluation, inputs


def test_paper_figures_stand_beside_a_run_of_that_size_only() -> None:
    shown = Page(build(replace(inputs(), miniature=False, paper_size="7B"))).text
    assert "Beside the paper, 7B" in shown
    assert "98.0" in shown
    assert "synthetic world" not in shown


def test_another_protocol_is_not_laid_beside_the_paper() -> None:
    shown = Page(build(replace(inputs(), paper_size="7B", protocol="recommended"))).text
    assert "these replies were sampled by protocol recommended" in shown and "98.0" not in shown


def test_the_paper_s_other_models_and_what_differs_are_named() -> None:
    shown = Page(build(replace(inputs(), paper_size="7B"))).cells
    assert "Instruct R1-Distill STAR-1" in shown and "SafeChain, 40K 70.6 59.7" in shown
    assert "JBB: 20 prompts here, 100 in the paper." in shown
    assert "MMLU-Pro: " not in shown, "a benchmark that was not run has no number of prompts"


def test_each_judge_has_its_agreement_with_people_or_is_unknown() -> None:
    found = agreement(["safe"] * 6 + ["unsafe"] * 4, ["safe"] * 5 + ["unsafe"] * 5)
    tried = {"replies": {"task": "guard", "judge": "Llama", **found}}
    tasks = {"safety": ["guard", "qwen3guard"], "reasoning": ["aime"]}
    shown = Page(build(replace(inputs(), tasks=tasks, tried=tried))).cells
    assert "Safety rate guard Llama replies 10 90.0 59.6 - 98.2 0.80" in shown
    assert "qwen3guard unknown: no entry under agreement tries this judge" in shown
    assert "safe 5 1 unsafe 0 4" in shown and "aime" not in shown


def test_a_second_judge_has_rows_of_its_own_and_kinds_a_table() -> None:
    rows = pd.DataFrame(
        {
            "model": "base", "suite": ["safety"] * 4 + ["over_refusal"] * 4, "benchmark": ["JBB"] * 4 + ["XSTest"] * 4,
            "prompt_id": list("abcdefgh"), "category": None, "label": [None] * 4 + ["a_b", "c", "d", "e"],
            "verdict": ["safe", "unsafe", "truncated", "safe"] + ["answered"] * 4,
            "paper_verdict": ["safe", "unsafe", "safe", "safe", "refused"] + ["answered"] * 3,
            "second_verdict": ["safe", "safe", "truncated", "unsafe"] + [None] * 4,
            "second_thinking_verdict": ["unsafe"] * 4 + [None] * 4,
        }
    )  # fmt: skip
    figures = summarise(with_success(rows.astype(object)), {"base": "base"})
    assert figures["suites"]["safety"]["base"]["second"]["words"] == {
        "safe": {"safe": 1, "unsafe": 1},
        "unsafe": {"safe": 1, "unsafe": 0},
    }
    page = build(replace(inputs(), evaluation=figures, curves={}, second_judges={"safety": "qwen3guard"}))
    shown = Page(page).cells
    assert "by qwen3guard 50.0" in shown and "agreement with qwen3guard 33.3" in shown
    assert "thoughts alone, by qwen3guard 0.0" in shown
    assert "Compliance with harmless questions base 100.0 0 50 100 %" in shown, "overall, where there are many kinds"
    assert "a b 1 100.0 20.7 - 100.0 0.0 0.0 - 79.3" in shown


def test_averages_over_other_benchmarks_are_not_laid_beside_the_papers() -> None:
    safety, reasoning = beside_paper(evaluation(), "1.5B")
    assert safety["models"] == ["base", "star1"]
    rows = {name: (ours, theirs) for name, ours, theirs in safety["rows"]}
    assert [figure["value"] for figure in rows["JBB"][0]] == [0.0, 100.0]
    assert rows["JBB"][1] == [97.0, 19.0, 96.0]
    assert rows["average"] == ([None, None], [81.6, 35.8, 90.3])
    assert all(ours == [None, None] for _, ours, _ in reasoning["rows"])


def test_papers_averages_are_those_of_its_benchmarks() -> None:
    for size in SIZES:
        for suites in reported(size).values():
            for figures in suites.values():
                values = [value for name, value in figures.items() if name != "average"]
                assert figures["average"] == pytest.approx(sum(values) / len(values), abs=0.051)
