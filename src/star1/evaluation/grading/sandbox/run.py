"""Programs in, outcomes out: chooses the protection, runs programs in parallel, reads their verdicts."""

import functools
import os
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import native, selftest, webassembly
from .inside.values import decode, encode
from .process import Unavailable, result_of

LONGEST_ERROR = 300


@dataclass(frozen=True)
class Program:
    """Generated code, and tests for one function of it.

    solution: Python source that defines entry_point. tests: Python source that defines check(candidate), which raises
    where the function is wrong. The tests get what the function returns as plain values: numbers, text, bytes, ranges,
    lists, tuples, sets, dicts; an object of any other class is equal to nothing. Exceptions of the function reach the
    tests as one class of their own.
    """

    solution: str
    tests: str
    entry_point: str


@dataclass(frozen=True)
class Outcome:
    """word: "passed", "failed", "timeout" or "unjudged". error: why it failed or could not be judged, one line of at
    most 300 characters; part of it is text of the program, so hostile.
    """

    word: str
    error: str = ""


# In the order of preference. Each returns the command that runs one task, or raises Unavailable with the reason.
Protection = Callable[[], list[str]]
PROTECTIONS: dict[str, Protection] = {
    "bubblewrap": native.with_bubblewrap,
    "jail": native.jail_alone,
    "WebAssembly": webassembly.command,
}
_choosing = threading.Lock()


def run_all(programs: Sequence[Program], timeout_s: float, workers: int | None = None) -> list[Outcome]:
    """Run programs, `workers` at a time (default: one for each core), and return their outcomes in the same order.

    timeout_s: seconds of time that a program has for its definition and all of its tests.
    """
    reason = why_not()
    if reason is not None:
        return [Outcome("unjudged", reason)] * len(programs)
    protection = PROTECTIONS[_choose()[0]]
    # Threads suffice: they wait for processes.
    pool = ThreadPoolExecutor(workers or os.cpu_count())
    try:
        return list(pool.map(lambda program: run_one(protection, program, timeout_s), programs))
    finally:
        pool.shutdown(cancel_futures=True)


def why_not() -> str | None:
    """Return in one line why this machine cannot run generated code safely, None where it can."""
    with _choosing:
        name, reasons = _choose()
    return None if name else f"no sandbox for generated code holds on this machine ({reasons})"


@functools.cache
def _choose() -> tuple[str, str]:
    """Return the first protection that withstands the self-test and "", or "" and why each of them does not."""
    reasons = []
    for name, protection in PROTECTIONS.items():
        try:
            fault = selftest.fault(functools.partial(_test, protection))
        except Unavailable as error:
            fault = str(error)
        if fault is None:
            return name, ""
        reasons.append(f"{name}: {fault}")
    return "", "; ".join(reasons)


def _test(protection: Protection, solution: str, tests: str, entry_point: str) -> tuple[str, str]:
    outcome = run_one(protection, Program(solution, tests, entry_point), selftest.TIMEOUT_S)
    return outcome.word, outcome.error


def run_one(protection: Protection, program: Program, timeout_s: float) -> Outcome:
    """Run one program under one protection, whether that holds or not. Raises Unavailable."""
    nonce = secrets.token_hex(16)
    task = encode((nonce, program.solution, program.tests, program.entry_point, timeout_s))
    result = result_of(protection(), task, timeout_s)
    if result.verdict is None:
        return Outcome("timeout")
    try:
        returned, word, error_text = decode(result.verdict)
    except (ValueError, TypeError):  # TypeError: no sequence
        returned, word, error_text = "", "", ""
    if returned != nonce or word not in ("passed", "failed", "timeout", "unjudged"):
        return Outcome("unjudged", one_line("the sandbox gave no verdict: " + result.noise.strip().rpartition("\n")[2]))
    return Outcome(word, one_line(str(error_text)))


def one_line(text: str) -> str:
    """Return hostile text as one line of at most 300 characters, without control characters."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())[:LONGEST_ERROR]
