"""The fallback: CPython in WebAssembly, where its two packages are installed."""

import functools

import pytest

from star1.evaluation.grading.sandbox import Outcome, Program, run, selftest, webassembly
from star1.evaluation.grading.sandbox.process import Unavailable

PLUS_ONE = "def check(candidate):\n    assert candidate(1) == 2\n"


@pytest.fixture(scope="module")
def protection() -> run.Protection:
    try:
        webassembly.command()
    except Unavailable as error:
        pytest.skip(str(error))
    fault = selftest.fault(functools.partial(run._test, webassembly.command))
    assert fault is None
    return webassembly.command


@pytest.mark.parametrize(
    ("solution", "outcome"),
    [
        ("def f(x): return x + 1", Outcome("passed")),
        ("print('text')\nimport os\nos.write(2, b'text')\ndef f(x): return x + 1", Outcome("passed")),
        ("def f(x): return x", Outcome("failed", "AssertionError: assert candidate(1) == 2")),
        ("def f(x): raise ValueError('no')", Outcome("failed", "ValueError: no")),
        ("import os\nos._exit(0)", Outcome("failed", "the program ended before its tests did")),
        (
            "import os\nos.write(1, b't16:s1:ns6:passeds0:')",
            Outcome("failed", "ValueError: a message without its length"),
        ),
        ("def f(x): return open('/sandbox/run.py', 'w')", Outcome("failed")),
        ("def f(x): return bytearray(1 << 31)", Outcome("failed")),
        ("def f(x): return open('/etc/passwd').read()", Outcome("failed")),
    ],
)
def test_outcomes(protection: run.Protection, solution: str, outcome: Outcome) -> None:
    got = run.run_one(protection, Program(solution, PLUS_ONE, "f"), 60.0)
    assert got.word == outcome.word, got.error
    assert not outcome.error or got.error == outcome.error


def test_an_endless_loop_ends_at_the_deadline(protection: run.Protection) -> None:
    program = Program("def f(x):\n    while True: pass", PLUS_ONE, "f")
    assert run.run_one(protection, program, 2.0) == Outcome("timeout")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webassembly, "PACKAGES", {"no_such_module": "no-such-package"})
    with pytest.raises(Unavailable, match="no-such-package not installed"):
        webassembly.command()
