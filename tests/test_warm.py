"""A quick start (tests/warm) is the same command: its words, streams, folder, environment, and how it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import warm

PLAIN = Path(sys.executable).parent
STAGE = """
import os, sys, time
print(sys.argv[1:], __name__, os.getcwd(), sys.path[0], os.environ["STAR1_HOME"], sys.stdin.read())
print("told", file=sys.stderr)
match sys.argv[1]:
    case "code": sys.exit(3)
    case "line": sys.exit("a line")
    case "error": raise ValueError("odd")
    case "signal": os.kill(os.getpid(), 9)
    case "pid": print(os.getpid(), "PATH" in os.environ)
    case "long":
        if os.fork():
            print(os.getpid(), flush=True)
        time.sleep(600)
"""


@pytest.fixture
def quick(tmp_path: Path) -> Path:
    """A folder with a stage, and a server that has imported little."""
    folder = warm.start("json")
    if folder is None:
        pytest.skip("commands start plainly here")
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/odd.py").write_text(STAGE)
    return folder


def began(python: Path, folder: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    own = {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "STAR1_HOME": "home", "PYTHONPATH": "a:b"}
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    command = [str(python / "python"), "-m", "stages.odd", *words]
    return subprocess.Popen(command, cwd=folder, env=kept | own | variables, text=True, **pipes)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("way", ["good", "code", "line", "error", "signal"])
def test_a_quick_command_says_and_ends_as_a_plain_one(quick: Path, tmp_path: Path, way: str) -> None:
    def ended(python: Path) -> tuple[int, str, list[str]]:
        process = began(python, tmp_path, way, "two words")
        said, errors = process.communicate("given")
        return process.returncode, said, [line for line in errors.splitlines() if not line.startswith("  ")]

    assert ended(quick) == ended(PLAIN)


def test_star1_says_and_ends_as_a_plain_one(quick: Path, tmp_path: Path) -> None:
    def ended(folder: Path) -> tuple[int, str, str]:
        own = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "80"}
        done = subprocess.run(
            [str(folder / "star1"), "trace", "How?"], cwd=tmp_path, env=own, capture_output=True, text=True
        )
        return done.returncode, done.stdout, done.stderr

    assert ended(quick) == ended(PLAIN)
    assert "no dvc.yaml" in ended(quick)[2]


def test_what_an_import_might_read_differs_and_it_starts_plainly(quick: Path, tmp_path: Path) -> None:
    def own_process(**variables: str) -> bool:
        process = began(quick, tmp_path, "pid", **variables)
        return process.communicate("")[0].splitlines()[-1] == f"{process.pid} True"

    assert not own_process()
    assert not own_process(DVC_STAGE="odd")
    assert own_process(OMP_NUM_THREADS="2") and own_process(HOME=str(tmp_path)) and own_process(PYTHONHASHSEED="7")


def test_a_killed_command_takes_along_what_it_started(quick: Path, tmp_path: Path) -> None:
    process = began(quick, tmp_path, "long")
    assert process.stdin is not None and process.stdout is not None
    process.stdin.close()
    process.stdout.readline()
    group = os.getpgid(int(process.stdout.readline()))
    process.kill()
    process.wait()
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            os.killpg(group, signal.SIGCONT)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    raise AssertionError("what it started goes on")
