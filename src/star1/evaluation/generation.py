"""The model under evaluation is asked like any teacher: one request for each prompt and sample."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from star1.artifacts import ARTIFACTS
from star1.asking.parsing import reply_text
from star1.asking.questions import Questions
from star1.asking.rows import Asked
from star1.errors import UserError
from star1.evaluation.tasks import task_of
from star1.llm.identity import model_identity
from star1.llm.settings import Served, Teacher
from star1.replies import split_reply
from star1.training.examples import opens_thought

if TYPE_CHECKING:
    from star1.evaluation.settings import Protocol


@dataclass(frozen=True)
class Generated:
    """A reply's raw text, the thought in its tags; "stop" where it ended by itself, "length" where it was cut off."""

    response: str
    finish_reason: str


def with_samples(prompts: pd.DataFrame, protocol: "Protocol") -> pd.DataFrame:
    """Return a row for each sample of each prompt, with `sample` from 0 and an `id` for the request."""
    counts = [protocol.samples_of.get(name, protocol.samples) for name in prompts["benchmark"]]
    rows = prompts.loc[prompts.index.repeat(counts)].reset_index(drop=True)
    sample = rows.groupby(["benchmark", "prompt_id"], sort=False).cumcount()
    ids = [f"{b}/{p}/{s}" for b, p, s in zip(rows["benchmark"], rows["prompt_id"], sample, strict=True)]
    return rows.assign(sample=sample, id=pd.Series(ids, dtype=object))


def questions(rows: pd.DataFrame, model: Path, base_url: str, protocol: "Protocol") -> Questions[Generated]:
    """Return what the model is asked: rows as `with_samples` returns them.

    A sampled reply has a seed of its own, made from benchmark, prompt and sample number, so that more samples leave
    those that are there as they are.
    """
    asked: dict[str, Any] = {
        "base_url": base_url,
        "temperature": protocol.temperature,
        "top_p": protocol.top_p,
        "max_tokens": int(rows["max_tokens"].max()),
        "json_schema": False,
        "extra": protocol.extra,
    }
    if base_url in ("transformers", "vllm"):
        teacher = Teacher(model=str(model), **asked)
    else:  # a URL goes on serving the model under its name after it was trained anew
        teacher = Served(model=model.name, content=model_identity(str(model)), **asked)

    def settings(row: Any) -> dict[str, Any]:
        seed = None if protocol.temperature == 0 else int(hashlib.sha256(row.id.encode()).hexdigest()[:8], 16) >> 1
        return {"max_tokens": int(row.max_tokens), "seed": seed}

    return Questions(
        "model",
        rows,
        lambda row: [{"role": "user", "content": task_of(row.task).prompt(row)}],
        generated,
        settings=settings,
        teacher=teacher,
        repairs=0,
    )


def generated(reply: dict[str, Any]) -> Generated:
    """Return a reply's text, cut off or not; raises UnusableReply where the endpoint gave none.

    A thought that comes in a field of its own is put back into its tags.
    """
    text, thinking, finish_reason = reply_text(reply)
    if thinking is not None:
        text = f"<think>\n{thinking.strip()}\n" + (f"</think>\n\n{text.strip()}" if text.strip() else "")
    return Generated(text, "stop" if finish_reason == "stop" else "length")


def check_replies(rows: pd.DataFrame, asked: Asked[Generated], max_failure_rate: float) -> None:
    """Raise UserError naming the first benchmark of which more than that share of the requests got no reply.

    Its figure would tell of the endpoint, such as of a context in which none of its prompts fit, and not of the model.
    """
    reasons = rows["id"].map(dict(zip(asked.failures["id"], asked.failures["reason"], strict=True)))
    for name, of_benchmark in reasons.groupby(rows["benchmark"], sort=False):
        failed = of_benchmark.dropna()
        if len(failed) > max_failure_rate * len(of_benchmark):
            raise UserError(
                f"benchmark {name}: {len(failed):,} of {len(of_benchmark):,} requests have no usable reply, more than "
                f"llm.max_failure_rate {max_failure_rate:.1%} allows; most often: {failed.value_counts().index[0]}. "
                "All replies are kept; STAR1_RETRY_FAILURES=1 asks for the failed rows again."
            )


def as_generations(rows: pd.DataFrame, asked: Asked[Generated], model: Path) -> pd.DataFrame:
    """Return the generations of rows as `with_samples` returns them; a row without a reply ends with "error".

    model: the folder whose chat template decides whether a reply without tags is an answer, or a thought without end.
    """
    nothing = Generated("", "error")
    replies = [asked.values.get(row_id, nothing) for row_id in rows["id"]]
    opened = any(_is_undecided(reply.response) for reply in replies) and _opens_thought(model)
    parts = [split_reply(reply.response, opened) if reply.response else (None, "") for reply in replies]
    return rows.assign(
        response=pd.Series([reply.response for reply in replies], dtype=object),
        thinking=pd.Series([thinking for thinking, _ in parts], dtype=object),
        answer=pd.Series([answer for _, answer in parts], dtype=object),
        finish_reason=pd.Series([reply.finish_reason for reply in replies], dtype=object),
    )[list(ARTIFACTS["generations"].columns)]


def _is_undecided(text: str) -> bool:
    """Return whether a text's own tags do not say if it is a thought: it neither begins with one nor ends one."""
    return text != "" and "</think>" not in text and not text.lstrip().startswith("<think>")


def _opens_thought(model: Path) -> bool:
    from transformers import AutoTokenizer

    return opens_thought(AutoTokenizer.from_pretrained(model))
