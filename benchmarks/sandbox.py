"""The cost of the sandbox per program, against plain `subprocess` Python, which protects nothing.

    python benchmarks/sandbox.py                         # 100 small programs, one after the other
    python benchmarks/sandbox.py HumanEval.jsonl.gz      # the canonical solutions of HumanEval instead

Every way that holds on this machine runs the same programs, each program by all of them in turn, so that other work on
the machine weighs on all alike. Milliseconds are the median by the clock and the mean of processor time, own and of the
processes started; the ratio is of the clock. WebAssembly runs every tenth program.
"""

import gzip
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable

from star1.evaluation.grading.sandbox import Program
from star1.evaluation.grading.sandbox.process import Unavailable
from star1.evaluation.grading.sandbox.run import PROTECTIONS, run_one

TIMEOUT_S = 60.0
SMALL = Program(
    "def double(values):\n    return [2 * value for value in values]\n",
    "def check(candidate):\n    for size in range(10):\n        assert candidate([1] * size) == [2] * size\n",
    "double",
)


def plain(program: Program) -> None:
    """Run a program and its tests as one script, and take the exit code for the verdict."""
    source = f"{program.tests}\n\n{program.solution}\n\ncheck({program.entry_point})\n"
    subprocess.run([sys.executable, "-I", "-S", "-"], input=source.encode(), capture_output=True, check=True)


def protected(name: str) -> Callable[[Program], None]:
    def run(program: Program) -> None:
        outcome = run_one(PROTECTIONS[name], program, TIMEOUT_S)
        if outcome.word != "passed":
            raise SystemExit(f"{name}: {outcome}")

    return run


def ways() -> Iterable[tuple[str, Callable[[Program], None]]]:
    """Yield plain Python and the protections that start here, each once warm."""
    yield "plain Python", plain
    for name in PROTECTIONS:
        try:
            outcome = run_one(PROTECTIONS[name], SMALL, TIMEOUT_S)
        except Unavailable as error:
            print(f"{name}: {error}")
            continue
        if outcome.word != "passed":
            print(f"{name}: {outcome.error}")
            continue
        yield name, protected(name)


def cpu_s() -> float:
    """Return the processor time of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def programs(path: str) -> list[Program]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Program(row["prompt"] + row["canonical_solution"], f"{row['prompt']}\n\n{row['test']}", row["entry_point"])
        for row in rows
    ]


def main() -> None:
    todo = programs(sys.argv[1]) if sys.argv[1:] else [SMALL] * 100
    taken: dict[str, list[tuple[float, float]]] = {}
    running = list(ways())
    for number, program in enumerate(todo):
        for name, run in running:
            if name == "WebAssembly" and number % 10:
                continue
            clock, processor = time.perf_counter(), cpu_s()
            run(program)
            taken.setdefault(name, []).append((time.perf_counter() - clock, cpu_s() - processor))
    base = statistics.median(clock for clock, _ in taken["plain Python"])
    for name, times in taken.items():
        clock = statistics.median(clock for clock, _ in times)
        processor = statistics.mean(processor for _, processor in times)
        longest = max(clock for clock, _ in times)
        print(
            f"{name:14} {1000 * clock:7.1f} ms ({1000 * processor:6.1f} ms CPU, longest {1000 * longest:7.1f} ms), "
            f"{clock / base:5.2f} times plain Python"
        )


if __name__ == "__main__":
    main()
