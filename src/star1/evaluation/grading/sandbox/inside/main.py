"""The process that a sandbox starts on Linux: it forks the candidate, becomes the tester, and writes the verdict.

Standard input holds the task; the tester reads it after the fork, so the candidate's memory never held it. Standard
output takes the verdict and the candidate's leads elsewhere before any generated code runs.
"""

# signal.py makes enums of these numbers, which takes a fifth of the start.
import _signal as signal  # type: ignore[import-not-found]
import os
import sys

from . import jail
from .roles import Deadline, be_candidate, be_tester, last_line, receive, send
from .values import decode, encode


def main() -> None:
    """Run one task: (nonce, solution, tests, entry_point, timeout_s); write (nonce, word, why)."""
    # The package's folder, and the one variable that the environment holds, are of no more use.
    del sys.path[0], sys.argv[1:]
    os.environ.clear()
    os.closerange(3, 1 << 16)
    requests, replies = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        os.close(requests[1])
        os.close(replies[0])
        _candidate(requests[0], replies[1])
    os.close(requests[0])
    os.close(replies[1])
    _tester(requests[1], replies[0], child)


def _candidate(requests: int, replies: int) -> None:
    """Never returns."""
    try:
        _no_standard_streams()
        with open(requests, "rb") as reader, open(replies, "wb") as writer:
            cpu_s = receive(reader)
            try:
                jail.lock_down(cpu_s)
            except jail.Refused as error:
                send(writer, str(error))
            else:
                send(writer, "")
                be_candidate(reader, writer)
    finally:
        os._exit(0)


def _tester(requests: int, replies: int, child: int) -> None:
    verdict = os.dup(1)
    with open(0, "rb", closefd=False) as task:
        nonce, solution, tests, entry_point, timeout_s = decode(task.read())
    _no_standard_streams()
    with open(requests, "wb") as writer, open(replies, "rb") as reader:
        try:
            send(writer, int(timeout_s) + 1)
            signal.signal(signal.SIGALRM, _end)
            signal.setitimer(signal.ITIMER_REAL, timeout_s)
            jail.lock_down(int(timeout_s) + 1, child)
            refused = receive(reader)
            outcome = ("unjudged", refused) if refused else be_tester(writer, reader, solution, tests, entry_point)
        except Deadline:
            outcome = ("timeout", "")
        except jail.Refused as error:
            outcome = ("unjudged", str(error))
        except BaseException as error:
            outcome = ("unjudged", f"the sandbox's own code failed: {last_line(error)}")
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        word, why = outcome
        os.write(verdict, encode((nonce, word, why[:1000])))
        os._exit(0)


def _no_standard_streams() -> None:
    """Let standard input be empty, and standard output go where the errors go."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)


def _end(*_: object) -> None:
    raise Deadline
