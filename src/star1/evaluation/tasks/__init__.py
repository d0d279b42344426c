"""One file for each kind of benchmark, found by its name; see star1.evaluation.task."""

from functools import cache
from importlib import import_module
from pathlib import Path

import pandas as pd

from star1.errors import UserError
from star1.evaluation.task import Task


def names() -> list[str]:
    """Return the names of all tasks."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem != "__init__")


@cache
def task_of(name: str) -> Task:
    """Return the task of that name. Raises UserError if there is none."""
    if name not in names():
        raise UserError(f"there is no task {name!r}; those of evaluation/tasks are {', '.join(names())}.")
    task: Task = import_module(f"star1.evaluation.tasks.{name}").TASK
    return task


def check_prompts(prompts: pd.DataFrame) -> None:
    """Raise UserError naming the first prompt of each benchmark that its task cannot ask or judge.

    prompts: rows of benchmarks with the columns benchmark and task.
    """
    faults: dict[str, str] = {}
    for row in prompts.itertuples(index=False):
        benchmark, task = str(row.benchmark), task_of(str(row.task))
        if benchmark not in faults and (fault := task.fault(row)):
            faults[benchmark] = f"benchmarks.{benchmark}: prompt {row.prompt_id}: {fault}."
    if faults:
        raise UserError("\n".join(faults.values()))
