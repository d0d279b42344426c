"""Wall and CPU seconds of a command, for the benchmarks that time whole commands."""

import os
import resource
import subprocess
import time
from pathlib import Path


def timed(command: list[str], folder: Path) -> tuple[float, float]:
    """Return the wall and CPU seconds of one run of a command in `folder`, on one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Return the least wall and CPU seconds of three runs of a command in `folder`, on one thread."""
    walls, cpus = zip(*(timed(command, folder) for _ in range(3)), strict=True)
    return min(walls), min(cpus)
