"""One task in one process group: started with nothing, read up to a limit, killed at its deadline."""

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass

# The process keeps the time itself; this is what it may take beyond, for its start and its end.
GRACE_S = 5.0
LONGEST_VERDICT = 1 << 16
# A fixed seed gives sets of strings the same order in every run. It is taken out before the generated code starts.
ENVIRONMENT = {"PYTHONHASHSEED": "0"}


class Unavailable(Exception):
    """A way of protection does not exist on this machine; the message says what is missing."""


@dataclass(frozen=True)
class Result:
    """verdict: what the process wrote, None where it was killed at the deadline; noise: the end of what else came."""

    verdict: bytes | None
    noise: str


def result_of(command: list[str], task: bytes, timeout_s: float) -> Result:
    """Run a command with a task on its standard input, in a session of its own; leave no process behind."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as noise:
        stdin.write(task)
        stdin.seek(0)
        process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=subprocess.PIPE,
            # A file, because the kernel bounds its size for whoever writes to it; nobody has to empty it.
            stderr=noise,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
        )
        assert process.stdout is not None
        try:
            verdict = _read(process.stdout.fileno(), time.monotonic() + timeout_s + GRACE_S)
            if verdict is not None:
                _let_end(process.pid)
        finally:
            # Not yet waited for, so the number of the group is still this process's.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.stdout.close()
            process.wait()
        noise.seek(max(0, noise.seek(0, os.SEEK_END) - 1000))
        return Result(verdict, noise.read(1000).decode(errors="replace"))


def _let_end(process: int) -> None:
    """Wait up to a second for a process that has given its verdict: it may still have children to take leave of."""
    for _ in range(1000):
        if os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.001)


def _read(descriptor: int, deadline: float) -> bytes | None:
    """Return everything up to the end or the limit of a pipe, None if the deadline comes first."""
    data = b""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while len(data) < LONGEST_VERDICT:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            return None
        piece = os.read(descriptor, LONGEST_VERDICT)
        if not piece:
            return data
        data += piece
    return data
