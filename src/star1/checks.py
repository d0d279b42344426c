"""What stage `check` looks at beyond the types of params.yaml: the files, tasks and endpoints that params name."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from star1.artifacts import ARTIFACTS
from star1.bases.whole import require_model
from star1.errors import UserError
from star1.evaluation.tasks import names, task_of
from star1.params import Params, judging_tasks, load_raw
from star1.pipeline import graph
from star1.sources.entries import Entry, LabelledEntry
from star1.sources.files import copied
from star1.sources.published import read_published
from star1.sources.read import read_labelled
from star1.sources.training_sets import read_dataset
from star1.training.launch import check_world, read_launch
from star1.training.rows import count_rows, read_rows, training_rows
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
    mistakes += _data_mistakes(params) + _folder_mistakes(params, root)
    mistakes += _row_mistakes(params, root)
    for key, task in judging_tasks(params).items():
        mistakes += _task_mistakes(params, key, task)
    mistakes += _suite_mistakes(params)
    mistakes += _label_mistakes(params, root)
    if mistakes:
        raise UserError("\n".join(f"params.yaml: {mistake}" for mistake in mistakes))


def _data_mistakes(params: Params) -> list[str]:
    """Return a line for each run whose rows no stage makes.

    The names of published and datasets are checked with the params, and data/own is the user's.
    """
    made = {
        artifact.path.removeprefix("data/").removesuffix(".parquet")
        for artifact in ARTIFACTS.values()
        if {"question", "response"} <= set(artifact.columns) and "{" not in artifact.path
    }
    return [
        f"runs.{name}.{key}: no stage makes data/{data}.parquet with responses; there are {', '.join(sorted(made))}, "
        "published/NAME and datasets/NAME"
        for name, run in params.runs.items()
        for key, data in (("data", run.data), ("steps_of", run.steps_of))
        if data not in made and data.partition("/")[0] not in ("published", "datasets", "own")
    ]


def _folder_mistakes(params: Params, root: Path) -> list[str]:
    """Return a line for each base whose folder lies here and holds no model."""
    mistakes = []
    for name, base in params.bases.items():
        if base.source == "folder" and (root / base.path).is_dir():
            try:
                require_model(root / base.path, f"bases.{name}.path: {root / base.path}")
            except UserError as error:
                mistakes.append(str(error))
    return mistakes


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
        own = _own_table(run.data, root)
        rows = noted(read_rows, own, run) if own else tables.get(run.data)
        if rows is not None:
            noted(training_rows, rows, run, training_settings(params.train, run).seed)
        if counted := _own_table(run.steps_of, root):
            noted(count_rows, counted, run)
    return mistakes


def _own_table(data: str, root: Path) -> Path | None:
    """Return the file of a run's rows if it is a table of the user's that lies here."""
    path = root / f"data/{data}.parquet"
    return path if data.startswith("own/") and path.is_file() else None


def _is_here(entry: Entry, root: Path) -> bool:
    """Say whether an entry is read without the network."""
    return (root / entry.path).is_file() if entry.reader != "hub" else copied(entry, root)


def missing_access(params: Params, root: Path) -> list[str]:
    """Return a line for each gated data set that must be fetched, where there is no token of the Hub."""
    named = {f"{key}.{name}": entry for key, entries in _entries(params).items() for name, entry in entries.items()}
    wanted = {
        key: entry.dataset for key, entry in named.items() if entry.gated and entry.dataset and not copied(entry, root)
    }
    if not wanted:
        return []
    from huggingface_hub import get_token

    if get_token():
        return []
    return [
        f"{key}: {name} is gated: accept its terms at https://huggingface.co/datasets/{name}, then set the environment "
        "variable HF_TOKEN to your token, or put a copy below data/mirror."
        for key, name in wanted.items()
    ]


def warnings(params: Params) -> list[str]:
    """Return a line for each thing that lets the pipeline run and takes from what its results are worth."""
    found = [
        f"{key}.{name}.revision: main moves; name the commit of {entry.dataset} that you fetch"
        for key, entries in _entries(params).items()
        for name, entry in entries.items()
        if entry.revision == "main"
    ]
    for key, task in judging_tasks(params).items():
        if reason := task_of(task).unready():
            found.append(f"{key.removesuffix('.task')}: its replies will be unjudged: {reason}")
    return found


def _entries(params: Params) -> Mapping[str, Mapping[str, Entry]]:
    sections = ("sources", "published", "datasets", "benchmarks", "agreement")
    return {section: getattr(params, section) for section in sections}


def _task_mistakes(params: Params, key: str, task: str) -> list[str]:
    try:
        role = task_of(task).role
    except UserError as error:
        return [f"{key}: {error}"]
    if role is not None and getattr(params.llm, role).base_url == "simulator":
        return [f"llm.{role}.base_url: the simulator plays no judge, and {key.removesuffix('.task')} asks one"]
    return []


def _suite_mistakes(params: Params) -> list[str]:
    """Return a line for each task that judges another suite than the one it is named for."""
    named = [
        (f"benchmarks.{name}.task", suite, str(params.benchmarks[name].task))
        for suite, benchmarks in params.suites.items()
        for name in benchmarks
    ]
    named += [(f"evaluate.second_judges.{suite}", suite, task) for suite, task in params.evaluate.second_judges.items()]
    return [
        f"{key}: {task} judges suite {task_of(task).suite}, not {suite}; there are "
        + ", ".join(name for name in names() if task_of(name).suite == suite)
        for key, suite, task in named
        if task in names() and task_of(task).suite not in (suite, None)
    ]


def _label_mistakes(params: Params, root: Path) -> list[str]:
    """Say which labels of agreement are no words of their judge, and which second judge is the first one again.

    Labelled replies that lie here are read: a judge's try would only meet their faults after hours.
    """
    mistakes = []
    for name, entry in params.agreement.items():
        key = f"agreement.{name}"
        if not _task_mistakes(params, f"{key}.task", entry.task):
            found = _word_mistakes(key, entry.task, (entry.labels or {}).values())
            mistakes += found or _reply_mistakes(name, entry, root)
    for suite, task in params.evaluate.second_judges.items():
        first = [name for name in params.suites.get(suite, []) if params.benchmarks[name].task == task]
        if first:
            mistakes.append(f"evaluate.second_judges.{suite}: {task} is the first judge of {first[0]}")
    return mistakes


def _reply_mistakes(name: str, entry: LabelledEntry, root: Path) -> list[str]:
    if not _is_here(entry, root):
        return []
    try:
        return _word_mistakes(f"agreement.{name}", entry.task, read_labelled(name, entry, root)["label"])
    except UserError as error:
        return str(error).splitlines()


def _word_mistakes(key: str, task: str, words: Iterable[str]) -> list[str]:
    verdicts = task_of(task).verdicts
    unknown = [word for word in dict.fromkeys(words) if word not in verdicts]
    return [f"{key}.labels: {word!r} is no verdict of {task}: {', '.join(verdicts)}" for word in unknown]


def prepare_folders(root: Path) -> list[Path]:
    """Make the folders that stages read as a whole, and remove what is there of stages that params.yaml names no more.

    Returns what was removed. DVC has it in its cache: `dvc repro` restores it when its entry is back. Raises UserError
    for a file that no stage wrote: to remove it could lose it.
    """
    raw: dict[str, Any] = load_raw(root / "params.yaml")
    for folder in graph.folders(root, raw):
        (root / folder).mkdir(parents=True, exist_ok=True)  # DVC wants a folder that is read to be there, if empty
    found = graph.leftovers(root, raw)
    if foreign := graph.not_recorded(root, found):
        raise UserError(
            f"{foreign[0].relative_to(root)} is no output of a stage, in a folder that stages read as a whole; move "
            "it, to data/own for one, or delete it."
        )
    for path in found:
        path.unlink()
    return found
