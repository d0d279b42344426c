"""HumanEval: write a Python function from its signature and docstring; the tests of the benchmark are run on it.

A benchmark row has as its prompt the beginning of a Python file, and as its answer_key a JSON object: `test`, source
that defines check(candidate), and `entry_point`, the name of the function.

Strict: the last Python block of the answer that defines the function. As the paper does: that, and where the answer has
none, the last one of the whole output, thought included, cut off or not. Each is run behind the prompt, which brings
imports and helpers; the later definition of the function counts.
"""

import json
import re
import textwrap
from typing import Any

import pandas as pd

from star1.evaluation.grading import sandbox
from star1.evaluation.grading.sandbox import Outcome, Program
from star1.evaluation.task import Task

# Seconds for one program and all of its tests. The slowest canonical solution takes a tenth of one.
TIMEOUT_S = 10.0
LANGUAGES = ("", "python", "python3", "py")
WORDS = {"passed": "correct", "failed": "wrong", "timeout": "wrong", "unjudged": "unjudged"}
FUTURE = "from __future__ import "
DEEPER = 3  # spaces by which a fence may stand further in than the one that it closes (CommonMark, fenced code blocks)
NO_BLOCK = "no Python block defines the function"


def prompt(row: Any) -> str:
    """Return the user's turn: the file's beginning, and how the answer must look."""
    name = _key(row.answer_key)["entry_point"]
    return (
        f"Here is the beginning of a Python file. Complete the function {name} so that it "
        "does what its docstring says. End your answer with one ```python block that holds the whole function, with "
        "its signature, and every import (of the standard library only) and helper that it needs.\n\n"
        f"```python\n{row.prompt.rstrip()}\n```"
    )


def fault(row: Any) -> str | None:
    """Return what a benchmark row lacks, None where it can be run."""
    try:
        key = _key(row.answer_key)
    except ValueError as error:
        return f"its answer_key is not a JSON object: {error}"
    for name in ("test", "entry_point"):
        if not isinstance(key.get(name), str):
            return f"its answer_key has no text {name!r}"
    if not key["entry_point"].isidentifier():
        return f"its entry_point {key['entry_point']!r} is not the name of a function"
    if not _defines(row.prompt, key["entry_point"]):
        return f"it does not define its entry_point {key['entry_point']!r}"
    if not _defines(key["test"], "check"):
        return "its test does not define check()"
    return None


def grade(generations: pd.DataFrame) -> pd.DataFrame:
    """Run the programs of all replies in the sandbox, equal ones once.

    Returns verdict and paper_verdict (correct, wrong, no answer, unjudged; verdict also truncated), extracted (the
    code, None without one) and detail: "answer" or "whole", where the code was found, or why it failed.
    """
    found = [_code(row) for row in generations.itertuples()]
    programs = {
        _program(row, code): None for row, (code, _) in zip(generations.itertuples(), found, strict=True) if code
    }
    outcomes = dict(zip(programs, sandbox.run_all(list(programs), TIMEOUT_S), strict=True))
    graded = []
    for row, (code, place) in zip(generations.itertuples(), found, strict=True):
        outcome = outcomes[_program(row, code)] if code else None
        word = WORDS[outcome.word] if outcome else "no answer"
        strict = word if place == "answer" else "no answer"
        graded.append(
            {
                "verdict": "truncated" if row.finish_reason == "length" else strict,
                "paper_verdict": word,
                "extracted": code,
                "detail": _detail(outcome, place),
            }
        )
    columns = ["verdict", "paper_verdict", "extracted", "detail"]
    return pd.DataFrame(graded, index=generations.index, columns=columns, dtype=object)


def blocks(text: str) -> list[str]:
    """Return the fenced blocks of a text that are marked as Python or not marked, without common indentation.

    A block that is not closed counts for nothing, unless another one is opened: then that one begins. A fence much
    further in than the block's own belongs to the block, such as one in a docstring.
    """
    found: list[str] = []
    lines: list[str] | None = None
    language, indent = "", 0
    for line in text.replace("\r\n", "\n").split("\n"):
        before, *middle, after = re.split(r"`{3,}", line) if "```" in line else (line, "")
        word = "".join(after.split()[:1]).lower()
        inner = not before.strip() and len(before.expandtabs()) > indent + DEEPER
        if "```" not in line or (lines is not None and inner):
            if lines is not None:
                lines.append(line)
        elif lines is None or (not before.strip() and word in LANGUAGES[1:]):
            # Marks on one line in pairs are code within a sentence.
            lines, language = (None, "") if middle else ([], word)
            indent = 0 if before.strip() else len(before.expandtabs())
        else:
            if language in LANGUAGES:
                found.append(textwrap.dedent("\n".join([*lines, before])).strip("\n"))
            lines = None
    return found


def _code(row: Any) -> tuple[str | None, str]:
    """Return the code that counts for a reply, and where it was found: "answer" or "whole"."""
    entry_point = _key(row.answer_key)["entry_point"]
    for place, text in (("answer", row.answer), ("whole", row.response)):
        for block in reversed(blocks(text if isinstance(text, str) else "")):
            if _defines(block, entry_point):
                return block, place
    return None, ""


def _program(row: Any, code: str | None) -> Program:
    key = _key(row.answer_key)
    head, body = _futures(code or "")
    return Program(f"{head}{row.prompt}\n\n{body}\n", f"{row.prompt}\n\n{key['test']}\n", key["entry_point"])


def _futures(code: str) -> tuple[str, str]:
    """Split off future imports, which Python takes at the beginning of a file alone, with the comments around them."""
    lines = code.split("\n")
    ends = [number for number, line in enumerate(lines) if line.strip() and not line.startswith(("#", FUTURE))]
    head = lines[: ends[0] if ends else len(lines)]
    if not any(line.startswith(FUTURE) for line in head):
        return "", code
    return "".join(f"{line}\n" for line in head), "\n".join(lines[len(head) :])


def _detail(outcome: Outcome | None, place: str) -> str:
    if outcome is None:
        return NO_BLOCK
    if outcome.word == "timeout":
        return f"not done after {TIMEOUT_S:g} s"
    return outcome.error or place


def _defines(source: str, name: str) -> bool:
    # By its text: a block with a mistake in its syntax is a wrong answer, not none.
    return (
        re.search(rf"^(?:(?:async[ \t]+)?def[ \t]+{re.escape(name)}[ \t]*\(|{re.escape(name)}[ \t]*=)", source, re.M)
        is not None
    )


def _key(text: str) -> dict[str, Any]:
    """Read an answer_key. Raises ValueError where it is no JSON object."""
    try:
        key = json.loads(text)
    except TypeError:
        raise ValueError("it is empty") from None
    if not isinstance(key, dict):
        raise ValueError("it is something else")
    return key


TASK = Task(
    verdicts=("correct", "wrong", "no answer", "unjudged", "truncated"),
    success=("correct",),
    prompt=prompt,
    unready=sandbox.why_not,
    fault=fault,
    grade=grade,
    suite="reasoning",
)
