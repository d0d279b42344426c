"""The sandbox: hostile programs as root and as an ordinary user, with and without bubblewrap, and what it refuses."""

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from star1.evaluation.grading.sandbox import Outcome, Program, native, run, run_all, why_not
from star1.evaluation.grading.sandbox.process import Unavailable
from tests.evaluation.attacks import ATTACKS
from tests.imports import ROOT

PLUS_ONE = "def check(candidate):\n    assert candidate(1) == 2\n"
UNLOCKED = (
    "import sys; sys.path.insert(0, sys.argv[1]); import inside.main as m; m.jail.lock_down = lambda *_: None; m.main()"
)


def interpreter_for(user: str) -> tuple[str, dict[str, object]]:
    """Return a Python that `user` ("root" or "ordinary") can run this code with, and how to become that user."""
    root = os.geteuid() == 0
    if user == "root" and not root:
        pytest.skip("not run as root")
    if user == "root" or not root:
        return sys.executable, {}
    nobody = pwd.getpwnam("nobody")
    become: dict[str, object] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    for python in (sys.executable, shutil.which("python3", path="/usr/local/bin:/usr/bin")):
        check = "import sys; assert sys.version_info >= (3, 11); import star1.evaluation.grading.sandbox"
        with contextlib.suppress(PermissionError):
            done = subprocess.run([python, "-c", check], env=environment(), cwd="/", capture_output=True, **become)
            if done.returncode == 0:
                return python, become
    pytest.skip("no Python from 3.11 on that an ordinary user can run and that can read this repository")


def environment() -> dict[str, str]:
    return {"PYTHONPATH": str(ROOT / "src"), "PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"]}


@pytest.mark.parametrize("protection", ["jail", "bubblewrap"])
@pytest.mark.parametrize("user", ["root", "ordinary"])
def test_every_attack_is_contained(user: str, protection: str) -> None:
    python, become = interpreter_for(user)
    command = [python, "-P", str(Path(__file__).with_name("attacks.py")), protection]
    done = subprocess.run(command, env=environment(), cwd="/", capture_output=True, text=True, check=False, **become)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    if report["unavailable"]:
        pytest.skip(f"{protection} does not start here: {report['unavailable']}")
    words = {name: word for name, (word, _) in report["outcomes"].items()}
    assert words == {name: word for name, (word, _) in ATTACKS.items()}, report["outcomes"]
    assert report["seen"] == {"connections": 0, "processes left": 0, "canary changed": False, "new files": []}


@pytest.fixture
def choose_again() -> Iterator[None]:
    run._choose.cache_clear()
    yield
    run._choose.cache_clear()


@pytest.fixture
def sandbox() -> None:
    reason = why_not()
    if reason:
        pytest.skip(reason)


def test_the_self_test_finds_everything_that_an_unlocked_process_can_do(
    choose_again: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlocked = [*native.jail_alone()[:-2], UNLOCKED, str(native.FOLDER)]
    monkeypatch.setattr(run, "PROTECTIONS", {"nothing": lambda: unlocked})
    reason = why_not()
    # The environment is empty in every sandbox, locked or not.
    assert reason is not None
    assert "nothing: self-test failed: AssertionError: ['connect', 'write', 'read', 'fork', 'signal']" in reason
    assert "\n" not in reason


def test_without_a_sandbox_nothing_runs_and_everything_is_unjudged(
    choose_again: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def absent() -> list[str]:
        raise Unavailable("it is not installed")

    broken = [sys.executable, "-c", "import sys; sys.exit('no such kernel')"]
    monkeypatch.setattr(run, "PROTECTIONS", {"one": absent, "other": lambda: broken})
    program = Program(f"open({str(tmp_path / 'ran')!r}, 'w')\ndef f(x): return x + 1", PLUS_ONE, "f")
    reason = (
        "no sandbox for generated code holds on this machine (one: it is not installed; "
        "other: self-test unjudged: the sandbox gave no verdict: no such kernel)"
    )
    assert run_all([program] * 2, 1.0) == [Outcome("unjudged", reason)] * 2
    assert list(tmp_path.iterdir()) == []


def test_where_bubblewrap_is_installed_but_cannot_start_the_jail_stands_alone(
    sandbox: None, choose_again: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bubblewrap = tmp_path / "bwrap"
    bubblewrap.write_text("#!/bin/sh\necho 'bwrap: no permission to create a namespace' >&2\nexit 1\n")
    bubblewrap.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delitem(run.PROTECTIONS, "WebAssembly")
    name, reasons = run._choose()
    assert name == "jail" or "Landlock" in reasons
    monkeypatch.delitem(run.PROTECTIONS, "jail")
    run._choose.cache_clear()
    assert "bubblewrap: self-test unjudged: the sandbox gave no verdict: bwrap: no permission" in (why_not() or "")


def test_outcomes_come_in_the_order_of_the_programs(sandbox: None) -> None:
    wait = "import time\ndef f(x):\n    time.sleep(0.2)\n    return x + 1"
    sources = [wait, "def f(x): return x", "def f(x) return x", "def g(x): return x", "def f(x): return x + 1"]
    assert run_all([Program(source, PLUS_ONE, "f") for source in sources], 10.0, workers=3) == [
        Outcome("passed"),
        Outcome("failed", "AssertionError: assert candidate(1) == 2"),
        Outcome("failed", "SyntaxError: expected ':' (<solution>, line 1)"),
        Outcome("failed", "KeyError: 'f'"),
        Outcome("passed"),
    ]


def test_an_error_is_one_short_line_of_printable_text(sandbox: None) -> None:
    source = "def f(x): raise ValueError('\\x1b[2J\\n\\0' + 'a' * 10**6 + '\\u202e')"
    (outcome,) = run_all([Program(source, PLUS_ONE, "f")], 10.0)
    assert outcome.word == "failed"
    assert outcome.error.startswith("ValueError: [2J aaa")
    assert len(outcome.error) == 300
    assert outcome.error.isprintable()


def test_a_source_that_python_cannot_read_fails(sandbox: None) -> None:
    sources = [f"{text}\ndef f(x): return x + 1" for text in ("\0", "\ud800", "(" * 5000, "# -*- coding: none -*-")]
    outcomes = run_all([Program(source, PLUS_ONE, "f") for source in sources], 10.0)
    assert [outcome.word for outcome in outcomes] == ["failed", "failed", "failed", "passed"]


def test_values_of_all_plain_types_reach_the_tests(sandbox: None) -> None:
    solution = """
from collections import Counter, OrderedDict, namedtuple
from decimal import Decimal
from fractions import Fraction
def f(name):
    return {"values": [None, True, -10**30, 0.1, float("inf"), 1j, "\\ud800", b"x", (1, [2]), {1, 2}, range(3)],
            "subclasses": [Counter("aab"), OrderedDict(a=1), namedtuple("P", "x y")(1, 2)],
            "numbers": [Decimal("0.1"), Fraction(1, 3)], "iterator": map(str, [1, 2]), "object": object()}[name]
"""
    tests = """
from decimal import Decimal
from fractions import Fraction
def check(candidate):
    expected = [None, True, -10**30, 0.1, float("inf"), 1j, "\\ud800", b"x", (1, [2]), {1, 2}, range(3)]
    assert candidate("values") == expected
    assert candidate(name="subclasses") == [{"a": 2, "b": 1}, {"a": 1}, (1, 2)]
    assert candidate("numbers") == [Decimal("0.1"), Fraction(1, 3)]
    assert list(candidate("iterator")) == ["1", "2"]
    assert candidate("object") != object() and "type object" in repr(candidate("object"))
"""
    assert run_all([Program(solution, tests, "f")], 10.0) == [Outcome("passed")]


def test_sets_of_strings_have_the_same_order_in_every_run(sandbox: None) -> None:
    tests = "def check(candidate):\n    assert False, candidate(0)"
    program = Program("def f(x): return ' '.join({str(n) for n in range(30)})", tests, "f")
    first, second = run_all([program] * 2, 10.0)
    assert first == second
    assert "29" in first.error


def test_workers_end_when_the_caller_is_interrupted(sandbox: None) -> None:
    script = """
import signal
from star1.evaluation.grading.sandbox import Program, run_all
signal.setitimer(signal.ITIMER_REAL, 0.5)
signal.signal(signal.SIGALRM, signal.default_int_handler)
run_all([Program("def f(x):\\n    while True: pass", "def check(c): c(1)", "f")] * 50, 1.0, workers=2)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=False, timeout=60
    )
    assert "KeyboardInterrupt" in done.stderr
