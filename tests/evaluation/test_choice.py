"""Multiple choice: options in the prompt, the letter in the answer, and the letters of a real model."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

from star1.evaluation.tasks.choice import TASK
from tests.generations import generations


def test_prompt_and_faults() -> None:
    prompt, gold = "Which?\n\nA. south\nB. north", "B"
    row = SimpleNamespace(prompt=prompt, answer_key=gold)
    assert TASK.fault(row) is None
    assert TASK.prompt(row).startswith(prompt + "\n\n") and "Answer: X" in TASK.prompt(row)
    for key in (None, "", "K", "a", "AB", 3, float("nan")):
        assert "no letter" in str(TASK.fault(SimpleNamespace(prompt=prompt, answer_key=key)))
    assert "no line" in str(TASK.fault(SimpleNamespace(prompt=prompt, answer_key="C")))


def test_the_strict_view_and_the_papers() -> None:
    assert TASK.grade is not None
    rows = generations(
        ("B", "<think>Answer: A</think>Answer: **B**"),
        ("B", "<think>Answer: A</think>Answer: C"),
        ("B", "<think>Answer: B</think>I am sure."),
        ("B", "<think>so it must be B</think>Surely."),
        ("B", ""),
        ("B", "<think>The answer is (B). But"),
    )
    judged = TASK.grade(rows)
    assert list(judged["verdict"]) == ["correct", "wrong", *["no answer"] * 4]
    assert list(judged["paper_verdict"]) == ["correct", "wrong", "correct", "correct", "no answer", "correct"]
    assert list(judged["detail"]) == ["answer", "answer", "whole", "whole", None, "whole"]
    assert list(judged["extracted"]) == ["B", "C", "B", "B", None, "B"]
    cut = TASK.grade(rows.assign(finish_reason="length"))
    assert set(cut["verdict"]) == {"truncated"} and list(cut["paper_verdict"]) == list(judged["paper_verdict"])


def by_rule(reply: str) -> tuple[str | None, bool]:
    """Return the official script's letter and whether the reply states it: the first "answer is (X)", else the last
    "Answer: X", else (not stated) the last capital A to J that stands alone.
    """
    stated = re.search(r"answer is \(?([A-J])\)?", reply)
    lines = re.findall(r"[aA]nswer:\s*([A-J])", reply)
    if stated or lines:
        return (stated.group(1) if stated else lines[-1]), True
    alone = re.findall(r"\b[A-J]\b", reply)
    return (alone[-1] if alone else None), False


def test_letters_of_a_real_model(real_files: Path) -> None:
    assert TASK.grade is not None
    with (real_files / "judging/mmlu_pro_llama31_8b.jsonl").open() as lines:
        replies = [json.loads(line) for line in lines]
    judged = TASK.grade(generations(*((reply["answer"], reply["reply"]) for reply in replies)))
    found = list(zip(replies, judged["extracted"], judged["detail"], strict=True))
    rules = [by_rule(reply["reply"]) for reply in replies]
    ruled = [(entry, stated) for entry, (letter, stated) in zip(found, rules, strict=True) if letter is not None]
    assert all(reply["extracted"] == by_rule(reply["reply"])[0] for (reply, _, _), _ in ruled)
    strict = [where == "answer" and ours == reply["extracted"] for (reply, ours, where), stated in ruled if stated]
    paper = [ours == reply["extracted"] for (reply, ours, _), _ in ruled]
    assert (len(ruled), len(strict)) == (1418, 1381)
    print(sum(strict), sum(paper))
    assert sum(strict) >= 0.99 * len(strict)
    assert sum(paper) >= 0.99 * len(paper)
