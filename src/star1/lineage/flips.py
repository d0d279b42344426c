"""What changed in the verdicts on one model's replies between two states, by benchmark, on the prompts of both."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from star1.evaluation.intervals import paired_change, share
from star1.lineage.tables import match, taken

PROMPT = ("benchmark", "prompt_id", "prompt")  # a prompt whose text was edited is another one
REPLY = (*PROMPT, "sample")
READ = ["suite", "task", *REPLY, "verdict", "success"]
SHOWN = ("thinking", "answer", "response")


def compared(old: pq.ParquetFile, new: pq.ParquetFile, model: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return (benchmarks, flips) of one model's judgements.

    benchmarks: {"model", "suite", "benchmark", "task", "prompts": those of both states, "only": (old, new) prompts that
    one state alone has, "old", "new": shares of success, "change": the paired change in points, all with intervals as
    in the evaluation, "gained", "lost": replies that became a success or are none any more, "other": those whose
    verdict flipped otherwise}. Whether a verdict counts is what its own state says. Several samples of a prompt count
    as their mean.
    flips: {"model", "suite", "benchmark", "prompt_id", "sample", "prompt", "kind": gained, lost or other, "old", "new":
    {"verdict", "thinking", "answer", "response"}}, those that lost first.
    Raises KeyError naming a column that one of the files lacks.
    """
    for file in (old, new):
        if lacking := [name for name in [*READ, "response"] if name not in file.schema_arrow.names]:
            raise KeyError(", ".join(lacking))
    before, after = old.read(columns=READ), new.read(columns=READ)
    in_old, in_new = match(before, after, REPLY)
    pairs = after.take(pa.array(in_new)).to_pandas()
    pairs["was"] = before["verdict"].take(pa.array(in_old)).to_pandas().to_numpy()
    pairs["succeeded"] = before["success"].take(pa.array(in_old)).to_pandas().to_numpy()
    pairs["kind"] = np.select(
        [
            pairs["success"] > pairs["succeeded"],
            pairs["success"] < pairs["succeeded"],
            pairs["verdict"] == pairs["was"],
        ],
        ["gained", "lost", "same"],
        "other",
    )
    measured = _measured(before.to_pandas(), after.to_pandas(), pairs, model)
    order = {"lost": 0, "gained": 1, "other": 2}
    flipped = pairs[pairs["kind"] != "same"]
    flipped = flipped.iloc[np.argsort(flipped["kind"].map(order).to_numpy(dtype=int), kind="stable")]
    return measured, _flips(flipped, (old, in_old), (new, in_new), model)


def _measured(before: pd.DataFrame, after: pd.DataFrame, pairs: pd.DataFrame, model: str) -> list[dict[str, Any]]:
    found = []
    for benchmark in dict.fromkeys([*after["benchmark"], *before["benchmark"]]):
        one, other = (rows[rows["benchmark"] == benchmark] for rows in (before, after))
        first = (other if len(other) else one).iloc[0]
        old, new = (rows.groupby(list(PROMPT), sort=False)["success"].agg(["sum", "count"]) for rows in (one, other))
        both = old.index.intersection(new.index)
        kinds = pairs.loc[pairs["benchmark"] == benchmark, "kind"].value_counts()
        found.append(
            {
                "model": model,
                "suite": first["suite"],
                "benchmark": benchmark,
                "task": first["task"],
                "prompts": len(both),
                "only": (len(old) - len(both), len(new) - len(both)),
                **_figures(old.loc[both], new.loc[both]),
                **{kind: int(kinds.get(kind, 0)) for kind in ("gained", "lost", "other")},
            }
        )
    return found


def _figures(old: pd.DataFrame, new: pd.DataFrame) -> dict[str, Any]:
    """Return the shares and their change; a row a prompt, with the sum of its successes and the count of samples."""
    counts = [(rows["sum"].to_numpy(int), rows["count"].to_numpy(int)) for rows in (old, new)]
    before, after = ((right / of).tolist() for right, of in counts)
    return {"old": share(*counts[0]), "new": share(*counts[1]), "change": paired_change(after, before)}


def _flips(
    flipped: pd.DataFrame, old: tuple[pq.ParquetFile, np.ndarray], new: tuple[pq.ParquetFile, np.ndarray], model: str
) -> list[dict[str, Any]]:
    """Return the flipped rows with the replies of both files; the index of `flipped` counts the matched rows."""
    replies = []
    for file, rows in (old, new):
        names = [name for name in SHOWN if name in file.schema_arrow.names]
        columns = {name: taken(file, name, rows[flipped.index]).to_pylist() for name in names}
        replies.append([dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)])
    names = ["suite", "benchmark", "prompt_id", "sample", "prompt", "kind", "was", "verdict"]
    records = flipped[names].to_dict("records")
    return [
        {
            "model": model,
            **{name: row[name] for name in names[:-2]},
            "old": {"verdict": row["was"], **before},
            "new": {"verdict": row["verdict"], **after},
        }
        for row, before, after in zip(records, *replies, strict=True)
    ]
