"""The stage's side of the quality gate; docs/quality.md says why the gate is a process of its own.

The gate is found by a hash of the code that it runs: a changed suite meets a fresh gate.
"""

import fcntl
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from star1.errors import UserError

MODULES = ("__init__", "artifacts", "criteria", "errors", "files")  # of star1, beside quality itself
START_S = 60  # how long a gate may take to come up on a busy machine
ANSWER_S = 900  # how long one table may take; 41,000 rows take 10 s
RETRY_S = 5  # after how long without a gate another one is started
LONGEST = 103  # bytes of a socket's path; macOS takes no more, Linux 107


def code_files() -> list[Path]:
    """Return the files of the code that the gate's process holds; its forks import no more of star1."""
    package = Path(__file__).parent.parent
    return [*(package / f"{name}.py" for name in MODULES), *sorted((package / "quality").glob("*.py"))]


def address() -> Path:
    """Return the socket of the gate that runs this very code; only the user may open its folder."""
    code = hashlib.sha256(sys.executable.encode())
    for file in code_files():
        if file.is_file():
            code.update(file.read_bytes())
    name = f"star1-gate-{os.getuid()}/{code.hexdigest()[:16]}.sock"
    place = Path(tempfile.gettempdir()) / name
    if len(os.fsencode(place)) > LONGEST:
        place = Path("/tmp") / name
    place.parent.mkdir(mode=0o700, exist_ok=True)
    if place.parent.stat().st_uid != os.getuid():
        raise UserError(f"{place.parent} belongs to another user; set TMPDIR to a folder of your own.")
    return place


def start() -> None:
    """See to it that a gate runs, and do not wait for it: it imports beside the stage's own work."""
    place = address()
    with place.with_suffix(".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # the lock is held by the gate that runs
    subprocess.Popen(
        [sys.executable, "-m", "star1.quality.gate", str(place)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=place.parent,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},  # no threads: the gate forks
    )


def check(
    artifact: str, table: Path, target: Path, docs: Path, categories: Sequence[str], verdicts: Sequence[str]
) -> None:
    """Validate the parquet file `table`, meant for `target`; on failure Data Docs are built in `docs`.

    categories: the names that a row may carry beside Other; verdicts: the words of the tasks, where it has verdicts.
    Both come from the stage, whose texts and tasks may be others than those of the checkout that started the gate.
    Raises UserError naming the expectation and the offending rows, or where no answer came within ANSWER_S.
    """
    question = json.dumps(
        [ANSWER_S, artifact, str(table.resolve()), str(target), str(docs.resolve()), list(categories), list(verdicts)]
    )
    try:
        # No answer: the gate ended its idle minute just then, or was killed. Ask a new one.
        answer = _ask(question) or _ask(question)
    except TimeoutError:
        raise UserError(
            f"{target}: the quality gate gave no answer within {ANSWER_S} s, and nothing was written. Stop it with "
            f"`pkill -f star1.quality.gate` and run `dvc repro` again; if it comes again, look at the machine's disk."
        ) from None
    if not answer:
        raise RuntimeError(f"the quality gate died twice while checking {target}; is the memory full?")
    verdict = json.loads(answer)
    if "crash" in verdict:
        raise RuntimeError(f"the quality gate failed on {target}:\n{verdict['crash']}")
    if verdict["problems"]:
        raise UserError("\n".join(verdict["problems"]))


def _ask(question: str) -> str:
    place, began, starts = address(), time.monotonic(), 0
    while True:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_S)
            try:
                connection.connect(str(place))
            except (FileNotFoundError, ConnectionRefusedError):
                waited = time.monotonic() - began
                if waited > START_S:
                    return ""
                if waited >= starts * RETRY_S:
                    start()
                    starts += 1
                time.sleep(0.05)
                continue
            try:
                with connection.makefile("rw", encoding="utf-8") as line:
                    line.write(question + "\n")
                    line.flush()
                    return line.readline()
            except (BrokenPipeError, ConnectionResetError):
                return ""
