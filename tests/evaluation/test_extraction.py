"""Final answers out of replies, hostile ones among them."""

import random
import time
from collections.abc import Callable

import pytest

from star1.evaluation.grading.extraction import answer_line, chosen_letter, last_box, lone_letter, number_line
from star1.evaluation.tasks.aime import whole_number
from star1.evaluation.tasks.number import final_number

FINDERS = (last_box, answer_line, number_line, chosen_letter, lone_letter)


@pytest.mark.parametrize(
    ("text", "box"),
    [
        (r"\boxed{5}", "5"),
        (r"a \boxed{1} and \boxed{ 2 }.", "2"),
        (r"\boxed{\frac{7}{3}}, as \frac{1}{2}", r"\frac{7}{3}"),
        (r"\boxed{\{1,2\}}", r"\{1,2\}"),
        (r"\boxed {3}", "3"),
        (r"\\boxed{3}", "3"),
        (r"\fbox{9}", "9"),
        (r"\boxed{\boxed{\boxed{5}}}", "5"),
        (r"\boxed{4} goes into \boxed{}", "4"),
        (r"\boxed{ab{c} \boxed{7}", "7"),
        (r"} \boxed{3}}", "3"),
        (r"\boxed{x", None),
        ("no box", None),
        ("", None),
    ],
)
def test_last_box(text: str, box: str | None) -> None:
    assert last_box(text) == box


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Answer: B", "B"),
        ("**Answer:** B", "B"),
        ("**Answer: (B)**", "B"),
        (r"Answer: $\boxed{B}$", "B"),
        (r"Answer: \(\boxed{\text{B}}\)", "B"),
        ("ANSWER: **J**", "J"),
        ("Answer: Option B", "B"),
        ("Answer\N{FULLWIDTH COLON}B", "B"),
        ("the answer is option (D).", "D"),
        ("The correct answer is\n\n**E. water**", "E"),
        ("The answer would be [F]", "F"),
        (r"so \boxed{\textbf{(C)}}", "C"),
        ("Answer: A because it is", "A"),
        ("Answer: B, as A is too small", "B"),
        ("Answer: A\n\nNo: Answer: C", "C"),
        ("Answer: A or C", "A, C"),
        ("The answer is (H) and (G).", "H, G"),
        ("The answer is A good deal", None),
        ("Answer: I think it is (B)", None),
        ("The answer is B, I think.", "B"),
        ("The correct answer is **C** and I am confident.", "C"),
        ("The answer is (C), and A is wrong", "C"),
        ("Answer: A, I", "A, I"),
        ("Answer: I and A", "I, A"),
        ("the answer is not (A)", None),
        (r"\boxed{C + D}", None),
        ("Answer: AB", None),
        ("Answer: B's", None),
        ("answer: c", None),
        ("B", None),
        ("", None),
    ],
)
def test_chosen_letter(text: str, letter: str | None) -> None:
    assert chosen_letter(text) == letter


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Answer: 4\nAnswer: **5.**\nBye", "5."),
        ("So the final answer is $7$", "$7$"),
        ("**Answer:**\n12", "12"),
        ("no such line", None),
    ],
)
def test_answer_line(text: str, line: str | None) -> None:
    assert answer_line(text) == line


HOSTILE = (
    "\\boxed{" * 150_000,
    "\\boxed{" * 100_000 + "5" + "}" * 100_000,
    "\\boxed{ " + "\\boxed{5} " * 100_000,
    "\\boxed" + " " * 1_000_000,
    "\\" * 1_000_000,
    "{}" * 500_000,
    "Answer: " * 125_000,
    "answer is (" * 90_000,
    "answer:" + "*" * 1_000_000,
    "Answer: A" + ", B" * 330_000,
    "answer:\n\n" * 110_000,
    "1" * 1_000_000,
    "1,111" * 200_000 + "x",
    " \n" * 500_000,
    ("*" * 10 + "\n") * 90_000,
)


@pytest.mark.parametrize("find", [*FINDERS, whole_number, final_number])
def test_a_hostile_megabyte_takes_linear_time(find: Callable[[str], object]) -> None:
    start = time.process_time()
    for text in HOSTILE:
        find(text)
    assert time.process_time() - start < 10  # about 0.5 s; a quadratic pattern takes minutes on one of them


PIECES = (
    *"\\{}[]()$*_:.,;-+=^%&<>\n\t ABCIJabx0179\x00",
    *(
        "\\boxed{",
        "\\\\boxed{",
        "\\fbox {",
        "\\text{",
        "\\frac",
        "\\(",
        "\\]",
        "Answer: ",
        "**Answer:** ",
        "answer is ",
    ),
    *("</think>", "<think>", "final answer", "1,000", "\N{MINUS SIGN}3", "\N{FULLWIDTH COLON}", "\ud800", "\U0001f600"),
)


def test_ten_thousand_fuzzed_replies_crash_nothing() -> None:
    chance = random.Random(20)
    for _ in range(10_000):
        reply = "".join(chance.choices(PIECES, k=chance.randrange(40)))
        found = [find(reply) for find in FINDERS]
        assert all(value is None or value.strip() for value in found[:1])
        final_number(reply)
        whole_number(reply)
