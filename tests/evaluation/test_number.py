"""The final number of an output and its exact comparison."""

from fractions import Fraction
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from star1.evaluation.tasks.number import TASK, correct, final_number
from tests.generations import generations


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("85", 85),
        ("So 47 + 38 = 85.", 85),
        ("The answer is 1,234.", 1234),
        ("It is -7", -7),
        ("12 - 7", 7),
        ("30-40", 40),
        ("between 30 -40", -40),
        ("0.5 or 1.50", Fraction(3, 2)),
        (r"\boxed{17}, which is more than 12", 17),
        ("3 apples and 4 pears", 4),
        ("no number", None),
        ("", None),
        (None, None),
        ("version v2", None),
        (r"\boxed{1,234.}", 1234),
        (r"\boxed{$-7$}", -7),
        (r"\boxed{\frac{7}{3}}", None),
        (r"\boxed{5\sqrt{2}}", None),
        (r"\boxed{x = 5}", None),
        (r"so it is \frac{7}{3}.", None),
        (r"so it is 5\sqrt{2}", None),
        ("7/3", None),
        (r"\(85\)", 85),
        ("**85**", 85),
    ],
)
def test_final_number(answer: str | None, number: object) -> None:
    assert final_number(answer) == number


def test_equal_values_in_other_spellings_are_correct() -> None:
    assert correct("1,000", "1000.0")
    assert not correct("1000.1", "1000")


def test_no_two_boxes_are_equal_by_a_number_inside_them() -> None:
    assert not correct(r"\boxed{\frac{7}{3}}", "3")
    assert not correct(r"\boxed{5\sqrt{2}}", "2")
    for expected in (r"\boxed{\frac{14}{3}}", r"3\sqrt{2}"):
        with pytest.raises(ValueError, match="not a number"):
            correct(r"\boxed{\frac{7}{3}}", expected)


def test_no_number_is_wrong() -> None:
    assert not correct("I do not know", "3")


def test_an_expected_answer_without_a_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="not a number"):
        correct("3", "three")


@given(st.integers(-(10**12), 10**12))
def test_every_integer_is_read_back(number: int) -> None:
    assert final_number(f"The answer is {number}.") == number
    assert correct(f"The answer is {number:,}.", str(number))


def test_the_strict_view_and_the_papers() -> None:
    assert TASK.grade is not None
    rows = generations(
        ("85", "<think>47 + 38</think>That is 85."),
        ("85", "<think>85</think>That is 84."),
        ("85", "<think>85</think>That is that."),
        ("85", "<think>it is 85"),
    )
    judged = TASK.grade(rows)
    assert list(judged["verdict"]) == ["correct", "wrong", "no answer", "no answer"]
    assert list(judged["paper_verdict"]) == ["correct", "wrong", "correct", "correct"]
    assert set(TASK.grade(rows.assign(finish_reason="length"))["verdict"]) == {"truncated"}


def test_faults() -> None:
    assert TASK.fault(SimpleNamespace(answer_key="1,234")) is None
    for key in (None, "", "three", r"\frac{7}{3}", float("nan")):
        assert "no number" in str(TASK.fault(SimpleNamespace(answer_key=key)))
