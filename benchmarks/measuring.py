"""Wall and CPU seconds of a command, for the benchmarks that time whole commands."""

import os
import resource
import subprocess
import time
from pathlib import Path


def measured(command: list[str], folder: Path) -> tuple[float, float]:
    """Return the least wall and CPU seconds of three runs of a command in `folder`, on one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    walls, cpus = [], []
    for _ in range(3):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(time.perf_counter() - began)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(walls), min(cpus)
