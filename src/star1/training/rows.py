"""Which rows a run is trained on, and in which form of thought."""

from typing import TYPE_CHECKING

import pandas as pd

from star1.errors import UserError
from star1.replies import split_reply
from star1.training.examples import response_text

if TYPE_CHECKING:
    from star1.training.settings import Run


def drawn(rows: pd.DataFrame, run: "Run", seed: int) -> pd.DataFrame:
    """Return the rows of a run, in their order: `run.sample` of them drawn by `seed`, all if null."""
    if run.sample is None or run.sample >= len(rows):
        return rows
    return rows.sample(run.sample, random_state=seed).sort_index()


def training_rows(rows: pd.DataFrame, run: "Run", seed: int) -> list[tuple[str, str]]:
    """Return a run's (question, response) pairs, see `drawn`.

    rows has the columns id, question and response (the published form). `run.think` is the form of thought (paper,
    Training): "full" as it is, "empty" an empty think block, as for distilled models, "none" the answer alone, as for
    instruct models.

    Raises:
        UserError: no rows; or rows without a question, an answer or, where the form is "full", a thought: one line a
            fault.
    """
    where = f"data/{run.data}.parquet"
    if rows.empty:
        raise UserError(f"{where}: no row in it to train on; data/rows says at which stage the last ones left.")
    pairs: list[tuple[str, str]] = []
    faults: dict[str, list[str]] = {}
    chosen = drawn(rows, run, seed)
    for row_id, question, response in zip(chosen["id"], chosen["question"], chosen["response"], strict=True):
        thinking, answer = split_reply(response if isinstance(response, str) else "")
        if not isinstance(question, str) or not question.strip():
            faults.setdefault("no question; mend the row or take it out", []).append(str(row_id))
        elif not answer:
            faults.setdefault("no answer in its response; mend the row or take it out", []).append(str(row_id))
        elif run.think == "full" and not thinking:
            say = "no thought in its response; mend the row or take it out, or train with think: empty or none"
            faults.setdefault(say, []).append(str(row_id))
        elif run.think == "none":
            pairs.append((question, answer))
        else:
            pairs.append((question, response_text(thinking or "" if run.think == "full" else "", answer)))
    if faults:
        raise UserError("\n".join(f"{where}: row {_listed(ids)}: {fault}." for fault, ids in faults.items()))
    return pairs


def _listed(ids: list[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{ids[0]} and {len(ids) - 1:,} more"
