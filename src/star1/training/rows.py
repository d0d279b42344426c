"""Which rows a run is trained on, and in which form of thought."""

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from star1.artifacts import read, shape
from star1.errors import UserError
from star1.replies import split_reply
from star1.training.examples import response_text

if TYPE_CHECKING:
    from star1.training.settings import Run


def drawn(rows: pd.DataFrame, run: "Run", seed: int) -> pd.DataFrame:
    """Return the rows of a run, in their order: `run.sample` drawn by `seed` of those in its band, or all.

    A row without a score is in no band.
    """
    if run.score is not None:
        lowest = [None if score is None else min(score.values()) for score in rows["score"]]
        rows = rows[[value is not None and run.score.min <= value <= run.score.max for value in lowest]]
    if run.sample is None or run.sample >= len(rows):
        return rows
    return rows.sample(run.sample, random_state=seed).sort_index()


def read_rows(path: Path, run: "Run") -> pd.DataFrame:
    """Return what `training_rows` needs of a table. Raises UserError if it cannot be read or is no training set."""
    where = f"data/{run.data}.parquet"
    wanted = ["id", "question", "response", *(["score"] if run.score else [])]
    names, _ = shape(path)
    if missing := [name for name in wanted if name not in names]:
        why = {"score": "set score of the run to null", "id": "add one, a name for each row"}.get(missing[0])
        why = why if why and len(missing) == 1 else "name rows with a response"
        raise UserError(f"{where}: no column {', '.join(missing)}; {why}.")
    if twice := [name for name in wanted if names.count(name) > 1]:
        raise UserError(f"{where}: two columns are called {twice[0]}; rename one of them.")
    rows = read(path, wanted)
    for row_id, score in zip(rows["id"], rows["score"], strict=True) if run.score else ():
        if score is not None and not _is_score(score):
            why = "its score is not a number for each criterion; mend it, or set score of the run to null"
            raise UserError(f"{where}: row {row_id}: {why}.")
    return rows


def _is_score(score: object) -> bool:
    return isinstance(score, dict) and bool(score) and all(isinstance(value, int | float) for value in score.values())


def count_rows(path: Path, run: "Run") -> int:
    """Return the number of rows from which a run's steps are counted. Raises UserError if there are none."""
    _, rows = shape(path)
    if not rows:
        raise UserError(f"data/{run.steps_of}.parquet: no row in it to count steps of; let steps_of name other rows.")
    return rows


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
    if chosen.empty:
        raise UserError(f"{where}: the lowest score of no row lies in the run's band of scores.")
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
