"""Typed params: params.yaml as pydantic models, one clear line for each mistake.

No field has a default: every knob stands in params.yaml, with its unit and meaning.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml.error import YAMLError

from star1 import policies, prompts
from star1.bases.entries import BaseEntry
from star1.errors import UserError
from star1.evaluation.settings import Evaluate
from star1.files import parse_yaml
from star1.llm.settings import Llm, Sending
from star1.pipeline.fields import Name, Positive
from star1.pipeline.view import Section
from star1.sources.entries import BenchmarkEntry, DatasetEntry, LabelledEntry, PublishedEntry, SourceEntry
from star1.training.settings import Run, Training, training_settings

Cosine = Annotated[float, Field(gt=0, le=1)]
Suite = Annotated[str, Field(pattern="^(safety|over_refusal|reasoning)$")]


class Texts(Section):
    """The folders of the policies and of the prompts, relative to the repository."""

    policies: str
    prompts: str


class Collect(Section):
    order: list[str]
    max_chars: Positive


class Deduplicate(Section):
    against: dict[Suite | Literal["decontamination"], list[str]]
    benchmark_ngram: Positive
    tfidf_threshold: Cosine
    embedding_threshold: Cosine
    embedding_model: str


class Select(Section):
    k: Positive
    full_score: Annotated[int, Field(ge=0, le=10)]


class Benign(Section):
    rewrite: bool
    full_score: Annotated[int, Field(ge=1, le=5)]


class Report(Section):
    """What the page shows; notes: a line for each model that needs one."""

    notes: dict[Name, str]
    examples: Annotated[int, Field(ge=0)]
    paper_size: Literal["1.5B", "7B", "8B", "14B", "32B"] | None


class Params(Section):
    categories: Annotated[list[str], Field(min_length=1)]
    texts: Texts
    collect: Collect
    sources: dict[Name, SourceEntry]
    published: dict[Name, PublishedEntry]
    datasets: dict[Name, DatasetEntry]
    benchmarks: dict[Name, BenchmarkEntry]
    suites: dict[Suite, list[str]]
    agreement: dict[Name, LabelledEntry]
    deduplicate: Deduplicate
    llm: Llm
    sending: Sending
    select: Select
    benign: Benign
    bases: dict[Name, BaseEntry]
    train: Training
    runs: dict[Name, Run]
    evaluate: Evaluate
    report: Report

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        if len(set(self.collect.order)) < len(self.collect.order):
            raise ValueError("collect.order: a name stands twice")
        if len(set(self.categories)) < len(self.categories):
            raise ValueError("categories: a name stands twice")
        left_out = [name for name in self.sources if name not in self.collect.order]
        if left_out:
            raise ValueError(f"collect.order: {', '.join(left_out)} stands under sources but not here")
        for key, suites in (("deduplicate.against", self.deduplicate.against), ("suites", self.suites)):
            for suite, names in suites.items():
                known = [name for name, entry in self.benchmarks.items() if entry.suite == suite]
                _subset(f"{key}.{suite}", names, f"the benchmarks of suite {suite}", known)
        self._models_agree()
        self._benchmarks_agree()
        return self

    def _models_agree(self) -> None:
        if both := sorted(set(self.bases) & set(self.runs)):
            raise ValueError(f"runs.{both[0]}: a base has this name too; models/{both[0]} can only be one of them")
        _subset("evaluate.models", self.evaluate.models, "the bases and runs", [*self.bases, *self.runs])
        for name, run in self.runs.items():
            _subset(f"runs.{name}.base", [run.base], "the bases", list(self.bases))
            for key, data in (("data", run.data), ("steps_of", run.steps_of)):
                section, _, wanted = data.rpartition("/")
                if section in ("published", "datasets"):
                    _subset(f"runs.{name}.{key}", [wanted], section, list(getattr(self, section)))
            if run.score is not None and run.data.startswith("datasets/"):
                raise ValueError(f"runs.{name}.score: rows of datasets have no scores; set it to null")
            if name in self.evaluate.models and run.base not in self.evaluate.models:
                raise ValueError(f"evaluate.models: {name} is compared with its base {run.base}, which is not in it")
            try:
                training_settings(self.train, run)
            except ValidationError as error:
                mistake = error.errors()[0]
                raise ValueError(f"runs.{name}.train.{mistake['loc'][0]}: {mistake['msg']}") from None

    def _benchmarks_agree(self) -> None:
        evaluated = [name for names in self.suites.values() for name in names]
        for name in evaluated:
            entry = self.benchmarks[name]
            if entry.task is None or entry.max_tokens is None:
                raise ValueError(f"benchmarks.{name}: it is evaluated, so it needs task and max_tokens")
        for name in self.evaluate.protocols[self.evaluate.protocol].samples_of:
            _subset(f"evaluate.protocols.{self.evaluate.protocol}.samples_of", [name], "the suites", evaluated)
        listed = {*evaluated, *(name for names in self.deduplicate.against.values() for name in names)}
        if idle := sorted(set(self.benchmarks) - listed):
            raise ValueError(f"benchmarks.{idle[0]}: it is in no list of suites and none of deduplicate.against")


def judging_tasks(params: Params) -> dict[str, str]:
    """Return the tasks whose judges will be asked, each by the key of params.yaml that names it."""
    evaluated = [name for names in params.suites.values() for name in names]
    return {
        **{f"benchmarks.{name}.task": str(params.benchmarks[name].task) for name in evaluated},
        **{f"evaluate.second_judges.{suite}": task for suite, task in params.evaluate.second_judges.items()},
        **{f"agreement.{name}.task": entry.task for name, entry in params.agreement.items()},
    }


def _subset(key: str, names: list[str], section: str, known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{key}: {name!r} is not one of {section}: {', '.join(known)}")
    if len(set(names)) < len(names):
        raise ValueError(f"{key}: a name stands twice")


def load_raw(path: Path) -> dict[str, Any]:
    """Read params.yaml as plain mappings. Raises UserError if it is missing or not YAML."""
    try:
        raw = parse_yaml(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the command in the folder that holds it.") from None
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: must be a mapping of sections.")
    return raw


def load(path: Path) -> Params:
    """Read and check params.yaml. Raises UserError with one line for each mistake: the key and what is allowed."""
    return check(load_raw(path), path)


def check(raw: dict[str, Any], path: Path) -> Params:
    """Check raw params against the models and the texts; a source's file is looked for by the stage that reads it."""
    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        lines = [f"{path}: {_line(mistake)}" for mistake in error.errors()]
        raise UserError("\n".join(lines)) from None
    root = path.resolve().parent
    try:
        known = policies.read(root / params.texts.policies)
        prompts.check(root / params.texts.prompts)
    except UserError as error:
        lines = [f"{path}: texts: {line.removeprefix(f'{root}/')}" for line in str(error).splitlines()]
        raise UserError("\n".join(lines)) from None
    for category in params.categories:
        if category not in known:
            raise UserError(f"{path}: categories: {category!r} has no policy; allowed are {', '.join(known)}")
    return params


def _line(mistake: Any) -> str:
    key = ".".join(str(part) for part in mistake["loc"])
    message = mistake["msg"].removeprefix("Value error, ")
    given = "" if mistake["type"] in ("missing", "value_error") else f" (it is {str(mistake['input'])[:60]!r})"
    return f"{key}: {message}{given}" if key else message
