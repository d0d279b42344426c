"""Typed params: params.yaml as pydantic models, one clear line for each mistake.

No field has a default: every knob stands in params.yaml, with its unit and meaning.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from star1.errors import UserError
from star1.pipeline.view import Section
from star1.sources.entries import BenchmarkEntry, SourceEntry
from star1.training.launch import check_world, read_launch

Share = Annotated[float, Field(ge=0, le=1)]
Cosine = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what every generator of random numbers takes
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]  # DVC reads a dot as a path of keys
Suite = Annotated[str, Field(pattern="^(safety|over_refusal|reasoning)$")]


def _endpoint(url: str) -> str:
    """Return the URL of an endpoint, or "simulator". Raises ValueError where nothing could be sent to it."""
    parts = urlsplit(url)
    port = parts.port  # raises ValueError itself above 65535
    if url != "simulator" and (parts.scheme not in ("http", "https") or not parts.hostname or port == 0):
        raise ValueError(f'must be "simulator" or http(s)://HOST[:PORT]/PATH, and {url!r} is not')
    return url


class Collect(Section):
    order: list[str]
    max_chars: Positive


class Deduplicate(Section):
    against: dict[Suite | Literal["decontamination"], list[str]]
    benchmark_ngram: Positive
    tfidf_threshold: Cosine
    embedding_threshold: Cosine
    embedding_model: str


class Teacher(Section):
    """One role's model behind an OpenAI-compatible endpoint, and how it samples."""

    base_url: Annotated[str, AfterValidator(_endpoint)]
    model: str
    temperature: Annotated[float, Field(ge=0, le=2)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    max_tokens: Positive
    json_schema: bool


class Llm(Section):
    classifier: Teacher
    reasoner: Teacher
    scorer: Teacher
    rewriter: Teacher
    guard: Teacher
    judge: Teacher
    repairs: Annotated[int, Field(ge=0)]
    max_failure_rate: Share


class Endpoint(Section):
    """How one role's requests are sent: nothing here decides what comes back."""

    key_variable: str | None
    mode: Literal["online", "batch"]
    concurrency: Positive
    requests_per_minute: Positive | None
    tokens_per_minute: Positive | None
    timeout_s: Annotated[float, Field(gt=0)]
    retries: Annotated[int, Field(ge=0)]
    input_usd: Annotated[float, Field(ge=0)]
    output_usd: Annotated[float, Field(ge=0)]


class Sending(Section):
    budget_usd: Annotated[float, Field(gt=0)] | None
    retry_failures: bool
    batch_poll_s: Annotated[float, Field(gt=0)]
    max_wait_s: Annotated[float, Field(gt=0)]
    classifier: Endpoint
    reasoner: Endpoint
    scorer: Endpoint
    rewriter: Endpoint
    guard: Endpoint
    judge: Endpoint


class Select(Section):
    k: Positive
    full_score: Annotated[int, Field(ge=0, le=10)]


class Benign(Section):
    full_score: Annotated[int, Field(ge=1, le=5)]


class HubModel(Section):
    repo: str
    revision: str


class Pretraining(Section):
    """The miniature base model: a Qwen2 architecture trained from scratch on the miniature world."""

    seed: Seed
    examples: Positive
    batch: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    warmup: Share
    weight_decay: Annotated[float, Field(ge=0)]
    hidden: Positive
    layers: Positive
    heads: Positive
    kv_heads: Positive
    mlp: Positive
    vocabulary: Positive
    caution: Share
    alarm: Share
    weighing: Share

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.hidden % (2 * self.heads):
            raise ValueError(f"hidden {self.hidden} does not divide by twice the heads {self.heads}")
        if self.heads % self.kv_heads:
            raise ValueError(f"heads {self.heads} does not divide by kv_heads {self.kv_heads}")
        return self


class Base(Section):
    source: Literal["miniature", "hub"]
    note: str
    miniature: Pretraining
    hub: HubModel


class Training(Section):
    launch: Name
    seed: Seed
    threads: Positive
    precision: Literal["float32", "bfloat16"]
    batch: Positive
    micro_batch_tokens: Positive
    gradient_checkpointing: bool
    max_tokens: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    warmup: Share
    weight_decay: Annotated[float, Field(ge=0)]
    clip: Annotated[float, Field(gt=0)]


RunData = Literal["star1", "star1_2k", "full_score", "scored"]


class Run(Section):
    """One fine-tuning run: which rows, and how many steps (`epochs` passes over the rows of `steps_of`)."""

    data: RunData
    sample: Positive | None
    epochs: Annotated[float, Field(gt=0)]
    steps_of: RunData
    think: Literal["full", "empty", "none"]
    note: str


class Generation(Section):
    batch: Positive
    max_new_tokens: Positive
    repetition_penalty: Annotated[float, Field(gt=0)]
    threads: Positive


class Judges(Section):
    """Who judges each suite: functions that read text, or models."""

    safety: Literal["text", "guard"]
    over_refusal: Literal["text", "classes"]
    reasoning: Literal["text"]


class Evaluate(Section):
    models: list[str]
    judges: Judges
    generation: Generation


class Report(Section):
    examples: Annotated[int, Field(ge=0)]
    paper_size: Literal["1.5B", "7B", "8B", "14B", "32B"] | None


class Params(Section):
    categories: Annotated[list[str], Field(min_length=1)]
    collect: Collect
    sources: dict[Name, SourceEntry]
    benchmarks: dict[Name, BenchmarkEntry]
    suites: dict[Suite, list[str]]
    deduplicate: Deduplicate
    llm: Llm
    sending: Sending
    select: Select
    benign: Benign
    base: Base
    train: Training
    runs: dict[Name, Run]
    evaluate: Evaluate
    report: Report

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        _subset("collect.order", self.collect.order, "sources", list(self.sources))
        left_out = [name for name in self.sources if name not in self.collect.order]
        if left_out:
            raise ValueError(f"collect.order: {', '.join(left_out)} stands under sources but not here")
        for key, suites in (("deduplicate.against", self.deduplicate.against), ("suites", self.suites)):
            for suite, names in suites.items():
                known = [name for name, entry in self.benchmarks.items() if entry.suite == suite]
                _subset(f"{key}.{suite}", names, f"the benchmarks of suite {suite}", known)
        _subset("evaluate.models", self.evaluate.models, "base and runs", ["base", *self.runs])
        if "base" not in self.evaluate.models:
            raise ValueError("evaluate.models: must hold base, which every change is measured against")
        for suite, role in (("safety", "guard"), ("over_refusal", "judge")):
            if getattr(self.evaluate.judges, suite) != "text" and getattr(self.llm, role).base_url == "simulator":
                raise ValueError(
                    f"llm.{role}.base_url: the simulator plays no judge, and evaluate.judges.{suite} wants one"
                )
        if "base" in self.runs:
            raise ValueError("runs.base: base is the name of the untrained model; choose another")
        return self


def _subset(key: str, names: list[str], section: str, known: list[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"{key}: {name!r} is not one of {section}: {', '.join(known)}")
    if len(set(names)) < len(names):
        raise ValueError(f"{key}: a name stands twice")


def load_raw(path: Path) -> dict[str, Any]:
    """Read params.yaml as plain mappings. Raises UserError if it is missing or not YAML."""
    try:
        raw = YAML(typ="safe").load(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the command in the folder that holds it.") from None
    except YAMLError as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict):
        raise UserError(f"{path}: must be a mapping of sections.")
    return raw


def load(path: Path) -> Params:
    """Read and check params.yaml. Raises UserError with one line for each mistake: the key and what is allowed."""
    return check(load_raw(path), path)


def check(raw: dict[str, Any], path: Path) -> Params:
    """Check raw params against the models, the policies that exist and the way of launching."""
    from star1.policies import names as policy_names

    try:
        params = Params.model_validate(raw)
    except ValidationError as error:
        lines = [f"{path}: {_line(mistake)}" for mistake in error.errors()]
        raise UserError("\n".join(lines)) from None
    known = policy_names()
    for category in params.categories:
        if category not in known:
            raise UserError(f"{path}: categories: {category!r} has no policy; allowed are {', '.join(known)}")
    root = path.resolve().parent
    try:
        check_world(read_launch(root / f"configs/{params.train.launch}.yaml"), params.train.batch)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    return params


def _line(mistake: Any) -> str:
    key = ".".join(str(part) for part in mistake["loc"])
    message = mistake["msg"].removeprefix("Value error, ")
    given = "" if mistake["type"] in ("missing", "value_error") else f" (it is {str(mistake['input'])[:60]!r})"
    return f"{key}: {message}{given}" if key else message
