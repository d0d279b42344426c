"""A pool of worker processes for pure functions that may hang, each call under a limit of CPU time.

A worker is a fresh interpreter (`python -m MODULE`), neither forked from this process, which may hold threads, nor
spawned by multiprocessing, which would import the stage again. It reads one JSON value a line and writes one. The
kernel ends a worker whose call takes too much CPU time, even inside one long operation in C; this side ends one that
does not answer in a much longer time. Either way the next call gets a new worker.
"""

import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

MEMORY = 3 << 30
START_S = 300.0
WALL_PER_CPU = 20
CALLS_PER_WORKER = 200
"""A worker costs 0.7 s of imports and a call about 5 ms, so few calls get few workers."""


class Lost(NamedTuple):
    """A call that came back without an answer, and why."""

    why: str


def serve(function: Callable[[Any], Any]) -> None:
    """Answer the questions of standard input by `function`, in a worker. The CPU limit in seconds is argv[1].

    The interval timer counts the CPU time of this process and ends it by SIGPROF, whose default action no code in C
    can put off. Memory is bounded, so that a runaway power ends here and not with the machine.
    """
    limit_s = float(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no reply
    print("ready", file=replies, flush=True)
    for line in sys.stdin:
        signal.setitimer(signal.ITIMER_PROF, limit_s)
        reply = json.dumps(function(json.loads(line)))
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(reply, file=replies, flush=True)


class Worker:
    """One worker process, started at the first call and again after each call that was lost."""

    def __init__(self, module: str, cpu_limit_s: float) -> None:
        self.command = [sys.executable, "-m", module, str(cpu_limit_s)]
        self.limit_s = cpu_limit_s
        self.process: subprocess.Popen[bytes] | None = None

    def call(self, question: Any) -> Any:
        """Return the worker's answer, or Lost. Raises RuntimeError where the worker cannot start."""
        process = self.process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            line = self._line(self.limit_s * WALL_PER_CPU)
        except BrokenPipeError:
            line = b""
        if line:
            return json.loads(line)
        why = "no answer in time" if line is None else "the worker ended"
        if self.stop() == -signal.SIGPROF:
            why = f"over {self.limit_s:g} s of CPU time"
        return Lost(why)

    def _start(self) -> subprocess.Popen[bytes]:
        # One hash seed, since the order in which SymPy walks a set can decide what it proves.
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONHASHSEED": "0"},
        )
        if self._line(START_S) != b"ready\n":
            raise RuntimeError(f"{' '.join(self.command)} did not start; run it by hand to see why")
        return self.process

    def _line(self, limit_s: float) -> bytes | None:
        """Return the next line, b"" at the end of the stream, None when `limit_s` seconds have passed."""
        assert self.process is not None and self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            return self.process.stdout.readline() if selector.select(limit_s) else None

    def stop(self) -> int | None:
        """End the process, if there is one; return its exit status."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        process.kill()
        process.communicate()
        return process.returncode


def ask(module: str, questions: Sequence[Any], cpu_limit_s: float, workers: int | None = None) -> list[Any]:
    """Return the worker function's answer to each question, in order; Lost for a call over its limit.

    module: a module that calls `serve` when run. questions: JSON values. cpu_limit_s: CPU seconds a call. workers: how
    many processes, by default one a core, fewer for few questions. An answer does not depend on which worker gave it
    as long as the function is pure. Raises RuntimeError where a worker cannot start.
    """
    if not questions:
        return []
    most = workers or len(os.sched_getaffinity(0))
    count = min(most, -(-len(questions) // CALLS_PER_WORKER)) if workers is None else most
    answers: list[Any] = [None] * len(questions)
    waiting = iter(range(len(questions)))
    lock, broken = threading.Lock(), threading.Event()

    def work() -> None:
        worker = Worker(module, cpu_limit_s)
        try:
            while not broken.is_set():
                with lock:
                    place = next(waiting, None)
                if place is None:
                    return
                answers[place] = worker.call(questions[place])
        except BaseException:
            broken.set()
            raise
        finally:
            worker.stop()

    with ThreadPoolExecutor(count) as pool:
        running = [pool.submit(work) for _ in range(count)]
        try:
            for thread in running:
                thread.result()
        except BaseException:
            broken.set()
            raise
    return answers
