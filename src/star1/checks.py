"""What stage `check` looks at beyond the types of params.yaml: the files, tasks and endpoints that params name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from star1.errors import UserError
from star1.evaluation.tasks import task_of
from star1.params import Params, load_raw
from star1.pipeline import graph
from star1.sources.entries import Entry
from star1.sources.hub import copy_of
from star1.sources.published import read_published
from star1.sources.training_sets import read_dataset
from star1.training.launch import check_world, read_launch
from star1.training.rows import training_rows
from star1.training.settings import training_settings

T = TypeVar("T")


def check_repository(params: Params, root: Path) -> None:
    """Raise UserError, a line for each mistake, where params name a launch, a task or a judge that cannot be had."""
    mistakes: list[str] = []
    for name, run in params.runs.items():
        try:
            check_world(read_launch(root / f"configs/{run.launch}.yaml"), training_settings(params.train, run).batch)
        except UserError as error:
            mistakes.append(f"runs.{name}: {error}")
    mistakes += _row_mistakes(params, root)
    for names in params.suites.values():
        for name in names:
            mistakes += _benchmark_mistakes(params, name)
    if mistakes:
        raise UserError("\n".join(f"params.yaml: {mistake}" for mistake in mistakes))


def _row_mistakes(params: Params, root: Path) -> list[str]:
    """Return what is wrong with published rows and data sets that lie here: a run would only meet it after hours."""
    mistakes: list[str] = []

    def noted(read: Callable[..., T], *arguments: object) -> T | None:
        try:
            return read(*arguments)
        except UserError as error:
            mistakes.extend(str(error).splitlines())
            return None

    tables: dict[str, pd.DataFrame | None] = {}
    for name, entry in params.published.items():
        if _is_here(entry, root):
            tables[f"published/{name}"] = noted(read_published, name, entry, root, params.categories)
    for name, dataset in params.datasets.items():
        if _is_here(dataset, root):
            tables[f"datasets/{name}"] = noted(read_dataset, name, dataset, root)
    for run in params.runs.values():
        rows = tables.get(run.data)
        if rows is not None:
            noted(training_rows, rows, run, params.train.seed)
    return mistakes


def _is_here(entry: Entry, root: Path) -> bool:
    """Say whether an entry is read without the network."""
    return (root / entry.path).is_file() if entry.reader != "hub" else copy_of(entry, root).is_dir()


def _benchmark_mistakes(params: Params, name: str) -> list[str]:
    try:
        role = task_of(str(params.benchmarks[name].task)).role
    except UserError as error:
        return [f"benchmarks.{name}.task: {error}"]
    if role is not None and getattr(params.llm, role).base_url == "simulator":
        return [f"llm.{role}.base_url: the simulator plays no judge, and benchmarks.{name} asks one"]
    return []


def prepare_folders(root: Path) -> list[Path]:
    """Make the folders that stages read as a whole, and remove what is there of stages that params.yaml names no more.

    Returns what was removed. DVC has it in its cache: `dvc repro` restores it when its entry is back.
    """
    raw: dict[str, Any] = load_raw(root / "params.yaml")
    for folder in graph.folders(root, raw):
        (root / folder).mkdir(parents=True, exist_ok=True)  # DVC wants a folder that is read to be there, if empty
    found = graph.leftovers(root, raw)
    for path in found:
        path.unlink()
    return found
