"""Multiple choice: the letters of a row's choices, and the rows whose grade would be wrong."""

import json
from typing import Any

import pytest

LISTED = {"choices": "options", "answer": "a"}
NAMED = {"choices": ["right", "w1", "w2"], "answer": "right"}


@pytest.fixture
def choices(tmp_path, benchmark_rows):
    """Return a function that reads a row after a good one, both of columns q and those given."""

    def read(keys: dict[str, Any], **row: Any):
        good = {"right": "r", "w1": "x", "w2": "y", "options": ["r", "x"], "a": "B"}
        (tmp_path / "b.json").write_text(json.dumps([{"q": "Which?", **good}, {"q": "Which?", **good, **row}]))
        return benchmark_rows(reader="json", path="b.json", prompt="q", **keys)

    return read


@pytest.mark.parametrize(
    ("keys", "row", "key", "says"),
    [
        (LISTED, {"options": ["r", None]}, "choices", "row 1 has a choice without text in column 'options'"),
        (LISTED, {"options": ["r", " "]}, "choices", "row 1 has a choice without text in column 'options'"),
        (LISTED, {"options": ["r", float("nan")]}, "choices", "row 1 has a choice without text in column 'options'"),
        (NAMED, {"w1": None}, "choices", "row 1 has a choice without text in column 'w1'"),
        (NAMED, {"right": ""}, "choices", "row 1 has a choice without text in column 'right'"),
        (NAMED, {"right": None}, "choices", "row 1 has a choice without text in column 'right'"),
        (LISTED, {"options": {"text": ["r"]}}, "choices", "row 1 has a mapping in column 'options'"),
        (LISTED, {"options": [{"text": "r"}, "x"]}, "choices", "row 1 has a mapping in column 'options'"),
        (LISTED, {"options": [["r"], "x"]}, "choices", "row 1 has a list in column 'options'"),
        (LISTED, {"options": None}, "choices", "row 1 has a choice without text in column 'options'"),
        (LISTED, {"options": []}, "choices", "row 1 has 0 choices; 2 to 26 can be lettered"),
        (LISTED, {"options": "A) r B) x"}, "choices", "row 1 has 1 choices; 2 to 26 can be lettered"),
        (LISTED, {"options": [str(n) for n in range(27)]}, "choices", "row 1 has 27 choices; 2 to 26 can be lettered"),
        (LISTED, {"options": ["x", "r", " r"]}, "choices", "row 1 has the right choice, 'r', twice"),
        (NAMED, {"w2": "r "}, "choices", "row 1 has the right choice, 'r', twice"),
        (NAMED, {"right": ["r"]}, "answer", "row 1 has a list in column 'right'"),
        (LISTED, {"a": None}, "answer", "row 1 has None, which is none of A, B"),
        (LISTED, {"a": ""}, "answer", "row 1 has '', which is none of A, B"),
        (LISTED, {"a": "AB"}, "answer", "row 1 has 'AB', which is none of A, B"),
        (LISTED, {"a": 1}, "answer", "row 1 has '1', which is none of A, B"),
    ],
)
def test_rows_that_cannot_be_graded(choices, keys: Any, row: Any, key: str, says: str, fails) -> None:
    with fails(f"benchmarks.B.{key}", says):
        choices(keys, **row)


def test_choices_that_can_be_graded(choices) -> None:
    letters = choices(LISTED, options=[str(number) for number in range(26)], a="Z")
    assert letters.answer[1] == "Z" and letters.prompt[1].endswith("\nZ. 25")
    # Two wrong ones alike, as some published rows have them, make no right reply wrong.
    assert choices(LISTED, options=["x", "r", "x"]).answer[1] == "B"
    twins = choices(NAMED, w1="x", w2="x")
    assert f"\n{twins.answer[1]}. r" in twins.prompt[1]
    assert choices(LISTED, options=[1, 2.5]).prompt[1].endswith("\nA. 1\nB. 2.5")
