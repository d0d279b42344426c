"""Pending requests of the stages that ask a model: the basis of the estimate, and of what gc keeps."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow.parquet as pq

from star1.artifacts import ARTIFACTS
from star1.asking.conversation import Conversation
from star1.asking.questions import Questions, teacher_of
from star1.asking.rows import Conversations, recall
from star1.errors import UserError
from star1.llm.budget import rates
from star1.llm.requests import model_of
from star1.llm.store import Store
from star1.params import load
from star1.pipeline.stage import Stage, dvc_name
from star1.pipeline.stale import because

# The teacher stages in order, each with the artifact whose rows it asks about; none asks about more than those before.
INPUTS = {
    "categorize": "collection",
    "reason": "categorized",
    "score": "cot",
    "rewrite": "star1",
    "reason_benign": "benign_questions",
    "score_benign": "benign_cot",
}
STAGES = (*INPUTS, "generate", "judge", "agreement")
Outdated = Callable[[Path], list[str]]  # from an output to the stages that changed, as stale.outdated returns it


@dataclass(frozen=True)
class Estimate:
    """What one stage would ask; `known` is False where no reply of its role has been seen: then replies are at most.

    gpu_hours: of the GPUs of one's own that write the replies, None where no speed is stated.
    """

    rows: int
    to_ask: int
    prompt_tokens: float
    reply_tokens: float
    usd: float
    gpu_hours: float | None
    known: bool


def stages(root: Path, names: Sequence[str] = STAGES) -> list[tuple[str, ...]]:
    """Return name and keys of those stages that ask a model: generate and judge once for each model, agreement for each
    judge that is tried.

    Raises UserError for a stage that asks nobody.
    """
    params = load(root / "params.yaml")
    found: list[tuple[str, ...]] = []
    for name in names:
        if name not in STAGES:
            raise UserError(f"stage {name!r} asks no model; those that do are {', '.join(STAGES)}.")
        keys = params.agreement if name == "agreement" else params.evaluate.models
        found += [(name,)] if name in INPUTS else [(name, key) for key in keys]
    return found


def has_model(root: Path, name: str, *keys: str) -> bool:
    """Return whether the keys of a stage's requests can be known: those of generate hold the content of its model."""
    return name != "generate" or (root / "models" / keys[0]).is_dir()


def look(
    store: Store, root: Path, name: str, *keys: str, seen: Callable[[str], None] = lambda key: None
) -> Estimate | None:
    """Go through a stage's rows as the stage itself would, sending nothing; None where its inputs are not built yet.

    `seen` is told the key of every request that is remembered, and of the first that is not, of each row.
    """
    if str(root.resolve()) not in sys.path:
        sys.path.insert(0, str(root.resolve()))
    stage = Stage(name, keys, root, writes=False)
    module = import_module(f"stages.{name}")
    try:
        asking = module.tasks(stage, *keys).values() if hasattr(module, "tasks") else [module.task(stage, *keys)]
    except UserError as error:
        if "no such file" not in str(error):
            raise
        return None
    parts = [_look_at(store, stage, questions, seen) for questions in asking]
    return _sum(parts)


def _sum(parts: Sequence[Estimate]) -> Estimate:
    hours = [part.gpu_hours for part in parts if part.gpu_hours is not None]
    return Estimate(
        sum(part.rows for part in parts),
        sum(part.to_ask for part in parts),
        sum(part.prompt_tokens for part in parts),
        sum(part.reply_tokens for part in parts),
        sum(part.usd for part in parts),
        sum(hours) if hours else None,
        all(part.known for part in parts),
    )


def _look_at(store: Store, stage: Stage, questions: Questions[Any], seen: Callable[[str], None]) -> Estimate:
    """Go through the rows of one role's questions."""
    params, teacher = stage.params, teacher_of(stage, questions)
    repairs = params.llm.repairs if questions.repairs is None else questions.repairs
    conversations = Conversations(questions, teacher, repairs)
    rate = rates(store, stage.label, questions.role, model_of(teacher), params.sending.of(questions.role))
    tokens = [0.0, 0.0]

    def count(each: Conversation[Any], remembered: bool) -> None:
        seen(each.request.key)
        if not remembered:
            for place, number in enumerate(rate.likely_tokens(each.request)):
                tokens[place] += number

    known = recall(store, conversations, count)
    sending = params.sending.of(questions.role)
    hours = None if sending.tokens_per_s is None else tokens[1] / sending.tokens_per_s / 3600 * sending.gpus
    return Estimate(
        len(conversations),
        len(known.pending),
        prompt_tokens=tokens[0],
        reply_tokens=tokens[1],
        usd=rate.usd(*tokens),
        gpu_hours=hours,
        known=rate.reply_tokens is not None or not known.pending,
    )


def stale(root: Path, stages: Sequence[tuple[str, ...]], outdated: Outdated) -> dict[tuple[str, ...], list[str]]:
    """Return for each stage that has an outdated input the stages before it that changed."""
    suites = load(root / "params.yaml").suites
    benchmarks = [ARTIFACTS["benchmark"].at(suite=s, benchmark=name) for s, names in suites.items() for name in names]
    found = {
        stage: sorted({changed for path in _inputs(benchmarks, *stage) for changed in outdated(path)})
        for stage in stages
    }
    return {stage: changed for stage, changed in found.items() if changed}


def _inputs(benchmarks: list[Path], name: str, *keys: str) -> list[Path]:
    if name == "judge":
        return [ARTIFACTS["generations"].at(model=keys[0])]
    if name == "agreement":
        return [ARTIFACTS["labelled"].at(judge=keys[0])]
    if name == "generate":
        return [Path("models") / keys[0], *benchmarks]
    return [ARTIFACTS[INPUTS[name]].at()]


def at_most(root: Path, name: str, outdated: Outdated) -> int | None:
    """Return how many rows a stage can have whose input is not built, or outdated; None where nothing bounds them.

    They are no more than those of the nearest input before it that is there; nor, after the selection, than select.k.
    """
    order = list(INPUTS)
    earlier = order[: order.index(name)] if name in INPUTS else []
    inputs = [ARTIFACTS[INPUTS[each]].at() for each in reversed(earlier)]
    rows = [pq.read_metadata(root / path).num_rows for path in inputs if (root / path).exists() and not outdated(path)]
    selected = [load(root / "params.yaml").select.k] if "rewrite" in (name, *earlier) else []
    return min([*rows[:1], *selected], default=None)


def table(
    root: Path,
    estimates: dict[tuple[str, ...], Estimate | None],
    stale: Mapping[tuple[str, ...], list[str]] = MappingProxyType({}),
    outdated: Outdated = lambda path: [],
) -> str:
    """Return the estimates as lines of text, with a total of those that are known; `stale` stages are not."""
    lines = [
        f"{'stage':32}{'rows':>9}{'to ask':>9}{'prompt tokens':>15}{'reply tokens':>15}{'GPU hours':>11}{'dollars':>11}"
    ]
    for stage, found in estimates.items():
        name = dvc_name(*stage)
        if found is None:
            rows = at_most(root, stage[0], outdated)
            few = "" if rows is None else f"at most {rows:,} rows; "
            why = f" (its input is outdated: {because(stale[stage])})" if stage in stale else ""
            lines.append(f"{name:32}  {few}more is known once the stages before it have run{why}")
            continue
        mark = "" if found.known else "  at most: no reply seen yet"
        lines.append(_line(name, found) + mark)
    there = [found for found in estimates.values() if found is not None]
    lines.append(
        _line("total", _sum(there))
        + ("" if len(there) == len(estimates) else "  without the stages whose rows are not known yet")
    )
    return "\n".join(lines)


def _line(name: str, found: Estimate) -> str:
    hours = "-" if found.gpu_hours is None else f"{found.gpu_hours:,.1f}"
    return (
        f"{name:32}{found.rows:>9,}{found.to_ask:>9,}{found.prompt_tokens:>15,.0f}{found.reply_tokens:>15,.0f}"
        f"{hours:>11}{found.usd:>11,.2f}"
    )
