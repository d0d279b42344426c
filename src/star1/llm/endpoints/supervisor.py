"""Run a command, and end it with all its descendants on SIGTERM or when the process that started this one is gone.

Usage: python supervisor.py PARENT COMMAND..., where PARENT is the pid of the starting process. Linux only.

vLLM's EngineCore and Worker processes outlive a killed API server, and keep the memory of their GPUs. As a child
subreaper this process becomes the parent of such orphans, so that it finds them all, whatever group they are in.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from types import FrameType

import psutil

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # of <sys/prctl.h>
POLL_S = 0.2
GRACE_S, ORPHANED_GRACE_S = 30.0, 2.0  # from SIGTERM to SIGKILL; vLLM takes 1 to 2 s on a CPU
KILLED_S = 10.0  # until processes are given up that not even SIGKILL ends, those in a driver's call


def supervise(parent: int, command: list[str]) -> int:
    """Run the command to its end, or end it; return its exit status, 128 and the signal's number if one killed it."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    stopping = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)

    def die_with_the_supervisor() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_the_supervisor)
    while child.poll() is None and not stopping and os.getppid() == parent:
        time.sleep(POLL_S)
    if child.poll() is None:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_S if stopping else ORPHANED_GRACE_S)
    kill_descendants()
    status = child.wait()
    return status if status >= 0 else 128 - status


def kill_descendants() -> None:
    """Kill all processes below this one, and those that they start meanwhile."""
    deadline = time.monotonic() + KILLED_S
    while time.monotonic() < deadline:
        living = []
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.status() != psutil.STATUS_ZOMBIE:
                    living.append(process)
                    process.kill()
        if not living:
            return
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(supervise(int(sys.argv[1]), sys.argv[2:]))
