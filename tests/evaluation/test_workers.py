"""Worker processes: order, limits, restarts, and no process left behind."""

import sys
import time
from pathlib import Path

import psutil
import pytest

from star1.evaluation.grading.workers import Lost, Worker, ask

PROGRAM = """
import os, sys, time
from star1.evaluation.grading.workers import serve

def function(question):
    print("noise")
    if question == "spin":
        while True: pass
    if question == "power":
        return len(str(9 ** 9 ** 9))
    if question == "die":
        os._exit(3)
    if question == "raise":
        raise ValueError
    if question == "sleep":
        time.sleep(60)
    return [question, os.environ["PYTHONHASHSEED"]]

if __name__ == "__main__":
    serve(function)
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "program_of_a_test.py").write_text(PROGRAM)
    path = [str(tmp_path), *(entry for entry in sys.path if entry.endswith("src"))]
    monkeypatch.setenv("PYTHONPATH", ":".join(path))
    return "program_of_a_test"


@pytest.mark.parametrize("workers", [1, 3])
def test_answers_come_in_order_whatever_hangs_or_dies(program: str, workers: int) -> None:
    # Such as quality gates that another test started, of which all but the first end at once.
    others = psutil.Process().children()
    questions = [1, "spin", 2, "power", "die", "raise", 3, *range(10, 40)]
    answers = ask(program, questions, 0.3, workers)
    lost = {question: answer for question, answer in zip(questions, answers, strict=True) if isinstance(answer, Lost)}
    assert lost == {
        "spin": Lost("over 0.3 s of CPU time"),
        "power": Lost("over 0.3 s of CPU time"),
        "die": Lost("the worker ended"),
        "raise": Lost("the worker ended"),
    }
    assert [a for a in answers if not isinstance(a, Lost)] == [[q, "0"] for q in questions if q not in lost]
    assert not set(psutil.Process().children()) - set(others)


def test_a_worker_that_waits_for_ever_is_ended(program: str) -> None:
    worker, start = Worker(program, 0.05), time.monotonic()
    assert worker.call("sleep") == Lost("no answer in time")
    assert time.monotonic() - start < 30
    assert worker.call("next") == ["next", "0"]
    worker.stop()


def test_a_program_that_does_not_start_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="did not start"):
        ask("star1.no_such_program", [1, 2], 1.0, 2)


def test_no_question_starts_no_worker() -> None:
    assert ask("star1.no_such_program", [], 1.0) == []
