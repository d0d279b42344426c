"""AIME: whole numbers in boxes."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from star1.evaluation.tasks.aime import TASK, whole_number
from tests.generations import generations


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("073", 73),
        ("204.", 204),
        ("$204$", 204),
        ("1{,}024", 1024),
        ("m+n = 113", 113),
        (r"\text{204}", 204),
        (r"\textbf{204}", 204),
        (r"204\text{ minutes}", 204),
        (r"80^\circ", 80),
        ("45.0", 45),
        ("-3", -3),
        (r"\frac{408}{2}", None),
        ("2 + 2", None),
        (r"10^{3}", None),
        ("204.5", None),
        ("1 2", None),
        ("", None),
        ("9" * 5000, None),
    ],
)
def test_whole_number(text: str, number: int | None) -> None:
    assert whole_number(text) == number


@given(st.integers(0, 999))
def test_every_answer_is_read_back(number: int) -> None:
    forms = (f"{number:03}", f"{number}.", f"${number}$", rf"x = {number}\,", rf"{number} \text{{ units}}")
    assert [whole_number(form) for form in forms] == [number] * len(forms)


def test_faults_and_prompt() -> None:
    assert TASK.fault(SimpleNamespace(answer_key="073")) is None
    for key in (None, "", "3.5", "three", r"\frac{1}{2}", float("nan")):
        assert "no whole number" in str(TASK.fault(SimpleNamespace(answer_key=key)))
    assert r"\boxed{}" in TASK.prompt(SimpleNamespace(prompt="How many?"))


def test_the_strict_view_and_the_papers() -> None:
    assert TASK.grade is not None
    rows = generations(
        ("73", r"<think>\boxed{5}</think>It is \boxed{073}."),
        ("73", r"<think>\boxed{73}</think>It is \boxed{\frac{146}{2}}."),
        ("73", r"<think>\boxed{73}</think>It is clear."),
        ("73", "<think>hm</think>**Answer:** 73."),
        ("73", "<think>hm</think>So:\n**73**"),
        ("73", r"<think>perhaps \boxed{73}"),
        ("73", ""),
    )
    judged = TASK.grade(rows)
    assert list(judged["verdict"]) == ["correct", "wrong", *["no answer"] * 5]
    assert list(judged["paper_verdict"]) == ["correct", "wrong", *["correct"] * 4, "no answer"]
    assert list(judged["detail"]) == ["answer", "answer", *["whole"] * 4, None]


def test_replies_of_a_real_model(real_files: Path) -> None:
    assert TASK.grade is not None
    with (real_files / "judging/aime24_qwen25_14b.jsonl").open() as lines:
        replies = [json.loads(line) for line in lines]
    judged = TASK.grade(generations(*((reply["answer"], reply["reply"]) for reply in replies)))
    assert list(judged["verdict"] == "correct") == [reply["correct"] for reply in replies]


def test_gold_answers_equal_themselves_only(real_files: Path) -> None:
    with (real_files / "benchmarks/aime24.jsonl").open() as lines:
        golds = [json.loads(line)["answer"] for line in lines]
    for gold in golds:
        assert [other for other in golds if whole_number(rf"\text{{{other}}}.") == whole_number(gold)] == [
            other for other in golds if int(other) == int(gold)
        ]
