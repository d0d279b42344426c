"""What stage `check` looks at beyond the types of params.yaml: the files, tasks and endpoints that params name."""

from pathlib import Path
from typing import Any

from star1.errors import UserError
from star1.evaluation.tasks import task_of
from star1.params import Params, load_raw
from star1.pipeline import graph
from star1.training.launch import check_world, read_launch
from star1.training.settings import training_settings


def check_repository(params: Params, root: Path) -> None:
    """Raise UserError, a line for each mistake, where params name a launch, a task or a judge that cannot be had."""
    mistakes: list[str] = []
    for name, run in params.runs.items():
        try:
            check_world(read_launch(root / f"configs/{run.launch}.yaml"), training_settings(params.train, run).batch)
        except UserError as error:
            mistakes.append(f"runs.{name}: {error}")
    for names in params.suites.values():
        for name in names:
            mistakes += _benchmark_mistakes(params, name)
    if mistakes:
        raise UserError("\n".join(f"params.yaml: {mistake}" for mistake in mistakes))


def _benchmark_mistakes(params: Params, name: str) -> list[str]:
    try:
        role = task_of(str(params.benchmarks[name].task)).role
    except UserError as error:
        return [f"benchmarks.{name}.task: {error}"]
    if role is not None and getattr(params.llm, role).base_url == "simulator":
        return [f"llm.{role}.base_url: the simulator plays no judge, and benchmarks.{name} asks one"]
    return []


def remove_leftovers(root: Path) -> list[Path]:
    """Remove the files of stages that params.yaml names no more from folders that later stages read; return them.

    DVC has them in its cache: `dvc repro` restores them when their entry is back.
    """
    raw: dict[str, Any] = load_raw(root / "params.yaml")
    found = graph.leftovers(root, raw)
    for path in found:
        path.unlink()
    return found
