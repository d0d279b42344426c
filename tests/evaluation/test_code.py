"""HumanEval: prompts, faults, what is taken for the code, and all 164 problems in the sandbox."""

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from star1.evaluation.grading import sandbox
from star1.evaluation.grading.sandbox import Outcome
from star1.evaluation.tasks import code
from star1.evaluation.tasks.code import TASK, blocks, grade

PROMPT = 'import math\n\n\ndef area(side):\n    """Return the area of a square. 2 -> 4"""\n'
TEST = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(math.sqrt(4)) == area(2)\n"
KEY = json.dumps({"test": TEST, "entry_point": "area"})
GOOD = "```python\ndef area(side):\n    return side * side\n```"
BAD = "```python\ndef area(side):\n    return side + side + 1\n```"
# The parts of a wrapper around a function by which its values become others of the same type.
MUTATION = """
def _changed(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, (str, list, tuple)):
        return value + type(value)("x")
    return {"x": 1} if value is None else None


def _mutant(function):
    return lambda *arguments: _changed(function(*arguments))


"""


@pytest.fixture
def holds() -> None:
    reason = sandbox.why_not()
    if reason:
        pytest.skip(reason)


def row(answer: str | None, response: str | None = None, finish: str = "stop", key: str = KEY) -> dict[str, Any]:
    return {
        "prompt_id": "1",
        "prompt": PROMPT,
        "answer_key": key,
        "answer": answer,
        "response": response if response is not None else answer or "",
        "finish_reason": finish,
    }


def graded(*rows: dict[str, Any]) -> list[tuple[Any, ...]]:
    frame = pd.DataFrame(rows, index=range(7, 7 + len(rows)), dtype=object)
    result = grade(frame)
    assert list(result.index) == list(frame.index)
    columns = result[["verdict", "paper_verdict", "extracted", "detail"]]
    return list(columns.itertuples(index=False, name=None))


def inner(block: str) -> str:
    return block.removeprefix("```python\n").removesuffix("\n```")


def test_the_last_block_of_the_answer_that_defines_the_function_counts(holds: None) -> None:
    other = "```python\nprint(area(3))\n```"
    assert graded(row(f"First {BAD}\nthen\n{GOOD}\nTry it:\n{other}"), row(f"{GOOD}\n{BAD}")) == [
        ("correct", "correct", inner(GOOD), "answer"),
        ("wrong", "wrong", inner(BAD), "AssertionError: assert candidate(2) == 4"),
    ]


def test_only_the_papers_view_looks_into_the_thought_and_at_cut_off_replies(holds: None) -> None:
    thought = f"<think>{GOOD}</think>"
    assert graded(
        row("It is the side, squared.", f"{thought}It is the side, squared."),
        row(None, f"<think>{GOOD} and", finish="length"),
        row(f"{GOOD} and", f"<think></think>{GOOD} and", finish="length"),
        row(BAD, f"{thought}{BAD}"),
        row("", "", finish="error"),
    ) == [
        ("no answer", "correct", inner(GOOD), "whole"),
        ("truncated", "correct", inner(GOOD), "whole"),
        ("truncated", "correct", inner(GOOD), "answer"),
        ("wrong", "wrong", inner(BAD), "AssertionError: assert candidate(2) == 4"),
        ("no answer", "no answer", None, code.NO_BLOCK),
    ]


def test_a_future_import_comes_first(holds: None) -> None:
    fenced = GOOD.replace("```python\n", "```python\n# By hand.\nfrom __future__ import annotations\n\n")
    assert graded(row(fenced)) == [("correct", "correct", inner(fenced), "answer")]


def test_equal_programs_run_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[sandbox.Program] = []

    def run_all(programs: list[sandbox.Program], timeout_s: float) -> list[Outcome]:
        ran.extend(programs)
        return [Outcome("timeout") for _ in programs]

    monkeypatch.setattr(sandbox, "run_all", run_all)
    assert graded(*[row(GOOD)] * 5) == [("wrong", "wrong", inner(GOOD), "not done after 10 s")] * 5
    assert len(ran) == 1


def test_a_machine_without_a_sandbox_leaves_replies_unjudged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox.run, "_choose", lambda: ("", "jail: Landlock is not available"))
    reason = "no sandbox for generated code holds on this machine (jail: Landlock is not available)"
    assert graded(row(GOOD), row("none"), row(GOOD, finish="length")) == [
        ("unjudged", "unjudged", inner(GOOD), reason),
        ("no answer", "no answer", None, code.NO_BLOCK),
        ("truncated", "unjudged", inner(GOOD), reason),
    ]


def test_no_rows_give_no_verdicts() -> None:
    assert list(grade(pd.DataFrame(columns=list(row("")))).columns) == [
        "verdict",
        "paper_verdict",
        "extracted",
        "detail",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("no code", []),
        ("```python\na = 1\n```", ["a = 1"]),
        ("```\na = 1\n```", ["a = 1"]),
        ("```Python3  \r\na = 1\r\n```\r\n", ["a = 1"]),
        ("1. So:\n   ```py\n   a = 1\n   if a:\n       b = 2\n   ```", ["a = 1\nif a:\n    b = 2"]),
        ("```json\n{}\n```\nand\n```python\na = 1\n```", ["a = 1"]),
        ("```python\na = 1```\nand `b`", ["a = 1"]),
        ("```python\nnever closed\n```python\na = 1\n```", ["a = 1"]),
        ("```python\ncut off", []),
        ("Here it is: ```python\na = 1\n``` and ```b```.\n", ["a = 1"]),
        ("Here it is: ```python\na = 1\n```\nand ```b``` too", ["a = 1"]),
        ("````python\na = 1\n````", ["a = 1"]),
        ("```bash\nls\n```\n```\na = 1\n```", ["a = 1"]),
        (
            '```python\n"""\n    ```\n    f(1)\n    ```\n"""\na = 1\n```',
            ['"""\n    ```\n    f(1)\n    ```\n"""\na = 1'],
        ),
        ("- So:\n\n      ```py\n      a = 1\n    ```", ["a = 1"]),
    ],
)
def test_blocks(text: str, found: list[str]) -> None:
    assert [block.strip() for block in blocks(text)] == found


@given(st.lists(st.sampled_from(["```", "python", "json", "\n", " ", "def area(side):", "return 1", "````", "\r"])))
def test_every_text_has_blocks_without_marks(parts: list[str]) -> None:
    text = "".join(parts)
    assume("    ```" not in text)  # a fence so far in may belong to the block
    assert not any("```" in block for block in blocks(text))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (KEY, None),
        ("", "not a JSON object"),
        (None, "it is empty"),
        ("[1]", "something else"),
        ('{"entry_point": "area"}', "no text 'test'"),
        (json.dumps({"test": TEST, "entry_point": 1}), "no text 'entry_point'"),
        (json.dumps({"test": TEST, "entry_point": "a b"}), "not the name of a function"),
        (json.dumps({"test": TEST, "entry_point": "volume"}), "does not define its entry_point 'volume'"),
        (json.dumps({"test": "assert True", "entry_point": "area"}), "does not define check()"),
    ],
)
def test_a_row_that_cannot_be_run_is_a_fault(key: str, words: str | None) -> None:
    fault = TASK.fault(SimpleNamespace(prompt=PROMPT, answer_key=key))
    assert fault is None if words is None else fault is not None and words in fault and "\n" not in fault


def test_the_prompt_asks_for_the_whole_function_in_one_block() -> None:
    asked = TASK.prompt(SimpleNamespace(prompt=PROMPT, answer_key=KEY))
    assert PROMPT.strip() in asked
    assert "```python" in asked.split(PROMPT.strip())[0]
    assert "area" in asked.splitlines()[0]


@pytest.fixture(scope="module")
def problems(real_files: Path) -> list[dict[str, str]]:
    path = real_files / "benchmarks/HumanEval.jsonl.gz"
    if not path.is_file():
        pytest.skip("no HumanEval.jsonl.gz among the real files")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def replies(problems: list[dict[str, str]], mutate: bool) -> pd.DataFrame:
    rows = []
    for problem in problems:
        name = problem["entry_point"]
        source = problem["prompt"] + problem["canonical_solution"]
        if mutate:
            source += f"{MUTATION}{name} = _mutant({name})\n"
        key = json.dumps({"test": problem["test"], "entry_point": name})
        rows.append(row(f"```python\n{source}\n```", key=key) | {"prompt": problem["prompt"]})
        assert TASK.fault(SimpleNamespace(**rows[-1])) is None
    return pd.DataFrame(rows, dtype=object)


def test_all_canonical_solutions_pass(holds: None, problems: list[dict[str, str]]) -> None:
    verdicts = grade(replies(problems, mutate=False))
    assert verdicts.verdict.value_counts().to_dict() == {"correct": 164}, verdicts[verdicts.verdict != "correct"]


def test_all_mutated_solutions_fail(holds: None, problems: list[dict[str, str]]) -> None:
    verdicts = grade(replies(problems, mutate=True))
    assert verdicts.verdict.value_counts().to_dict() == {"wrong": 164}, verdicts[verdicts.verdict != "wrong"]
    # Wrong by what the tests say, not because a mutant does not run.
    assert verdicts.detail.str.startswith("AssertionError").sum() >= 150, verdicts.detail.value_counts()
