"""What changed in the verdicts on one model's replies between two states, by benchmark, on the prompts of both."""

import importlib
import pkgutil
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from star1.evaluation import tasks
from star1.evaluation.intervals import paired_change, proportion
from star1.lineage.tables import match, taken

PROMPT = ("benchmark", "prompt_id", "prompt")  # a prompt whose text was edited is another one
REPLY = (*PROMPT, "sample")
READ = ["suite", "task", *REPLY, "verdict"]
SHOWN = ("thinking", "answer", "response")


def compared(old: pq.ParquetFile, new: pq.ParquetFile, model: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return (benchmarks, flips) of one model's judgements.

    benchmarks: {"model", "suite", "benchmark", "task", "prompts": those of both states, "only": (old, new) prompts that
    one state alone has, "old", "new": shares of success with their Wilson intervals, "change": the paired change with
    Newcombe's interval, in points, "gained", "lost", "other": replies whose verdict flipped, "problem": None, or why
    there are no figures}. Several samples of a prompt count as their mean, as in the evaluation.
    flips: {"model", "suite", "benchmark", "prompt_id", "sample", "prompt", "kind": gained, lost or other, "old", "new":
    {"verdict", "thinking", "answer", "response"}}, those that lost first.
    Raises KeyError naming a column that one of the files lacks.
    """
    for file in (old, new):
        if lacking := [name for name in [*READ, "response"] if name not in file.schema_arrow.names]:
            raise KeyError(", ".join(lacking))
    before, after = old.read(columns=READ), new.read(columns=READ)
    before, after = _judged(before), _judged(after)
    in_old, in_new = match(before, after, REPLY)
    pairs = after.take(pa.array(in_new)).to_pandas()
    pairs["was"] = before["verdict"].take(pa.array(in_old)).to_pandas().to_numpy()
    pairs["succeeded"] = before["success"].take(pa.array(in_old)).to_pandas().to_numpy()
    pairs["kind"] = np.select(
        [
            pairs["verdict"] == pairs["was"],
            pairs["success"] > pairs["succeeded"],
            pairs["success"] < pairs["succeeded"],
        ],
        ["same", "gained", "lost"],
        "other",
    )
    measured = _measured(before.to_pandas(), after.to_pandas(), pairs, model)
    order = {"lost": 0, "gained": 1, "other": 2}
    flipped = pairs[pairs["kind"] != "same"]
    flipped = flipped.iloc[np.argsort(flipped["kind"].map(order).to_numpy(dtype=int), kind="stable")]
    return measured, _flips(flipped, (old, in_old), (new, in_new), model)


def success(task: str) -> tuple[str, ...] | None:
    """Return the verdicts that count as success in a task; None if no task of this code has that name."""
    if task not in {module.name for module in pkgutil.iter_modules(tasks.__path__)}:
        return None
    words: tuple[str, ...] = importlib.import_module(f"{tasks.__name__}.{task}").TASK.success
    return words


def _judged(rows: pa.Table) -> pa.Table:
    """Add the column success, 1.0 or 0.0; NaN for a task that is not known."""
    values = np.full(len(rows), np.nan)
    for task in pc.unique(rows["task"]).to_pylist():
        words = success(task)
        if words is not None:
            own = pc.equal(rows["task"], task).to_numpy()
            values[own] = pc.is_in(rows["verdict"], pa.array(words)).to_numpy()[own]
    return rows.append_column("success", pa.array(values, from_pandas=False))


def _measured(before: pd.DataFrame, after: pd.DataFrame, pairs: pd.DataFrame, model: str) -> list[dict[str, Any]]:
    found = []
    for benchmark in dict.fromkeys([*after["benchmark"], *before["benchmark"]]):
        one, other = (rows[rows["benchmark"] == benchmark] for rows in (before, after))
        first = (other if len(other) else one).iloc[0]
        means = [rows.groupby(list(PROMPT), sort=False)["success"].mean() for rows in (one, other)]
        both = means[0].index.intersection(means[1].index)
        kinds = pairs.loc[pairs["benchmark"] == benchmark, "kind"].value_counts()
        found.append(
            {
                "model": model,
                "suite": first["suite"],
                "benchmark": benchmark,
                "task": first["task"],
                "prompts": len(both),
                "only": (len(means[0]) - len(both), len(means[1]) - len(both)),
                **_figures(means[0].loc[both].tolist(), means[1].loc[both].tolist(), first["task"]),
                **{kind: int(kinds.get(kind, 0)) for kind in ("gained", "lost", "other")},
            }
        )
    return found


def _figures(old: list[float], new: list[float], task: str) -> dict[str, Any]:
    if any(value != value for value in (*old, *new)):
        problem = f"no share is measured: this code has no task {task!r}"
        return {"old": None, "new": None, "change": None, "problem": problem}
    n = len(old)
    return {
        "old": proportion(min(sum(old), n), n),
        "new": proportion(min(sum(new), n), n),
        "change": paired_change(new, old),
        "problem": None,
    }


def _flips(
    flipped: pd.DataFrame, old: tuple[pq.ParquetFile, np.ndarray], new: tuple[pq.ParquetFile, np.ndarray], model: str
) -> list[dict[str, Any]]:
    """Return the flipped rows with the replies of both files; the index of `flipped` counts the matched rows."""
    said = []
    for file, rows in (old, new):
        names = [name for name in SHOWN if name in file.schema_arrow.names]
        columns = {name: taken(file, name, rows[flipped.index]).to_pylist() for name in names}
        said.append([dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)])
    names = ["suite", "benchmark", "prompt_id", "sample", "prompt", "kind", "was", "verdict"]
    records = flipped[names].to_dict("records")
    return [
        {
            "model": model,
            **{name: row[name] for name in names[:-2]},
            "old": {"verdict": row["was"], **before},
            "new": {"verdict": row["verdict"], **after},
        }
        for row, before, after in zip(records, *said, strict=True)
    ]
