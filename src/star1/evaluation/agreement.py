"""How far a judge agrees with people, or with another judge: share agreed, Cohen's kappa and the confusion table."""

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np

from star1.evaluation.intervals import Interval, Z, proportion


def agreement(people: Sequence[str], judge: Sequence[str]) -> dict[str, Any]:
    """Return how far the judge's labels agree with those of people; entry i of both is about reply i.

    {"agreed": Interval in percent, "kappa": Interval from -1 to 1, "confusion": {label of people: {label of the judge:
    count}}}. Every label of either has a row and a column, in alphabetical order. Raises ValueError if the lengths
    differ.
    """
    if len(people) != len(judge):
        raise ValueError(f"agreement needs two labels for each reply, got {len(people)} and {len(judge)}")
    labels = sorted({*people, *judge})
    place = {label: number for number, label in enumerate(labels)}
    table = np.zeros((len(labels), len(labels)), dtype=int)
    for one, other in zip(people, judge, strict=True):
        table[place[one], place[other]] += 1
    return {
        "agreed": proportion(int(np.trace(table)), len(people)),
        "kappa": kappa(table),
        "confusion": {
            label: dict(zip(labels, row.tolist(), strict=True)) for label, row in zip(labels, table, strict=True)
        },
    }


def kappa(table: np.ndarray) -> Interval:
    """Return Cohen's kappa of a square table of counts with a 95 % interval, from -1 to 1 (not in percent).

    kappa = (a - e) / (1 - e), a the share on the diagonal, e the share expected from the margins (J. Cohen, Educational
    and Psychological Measurement 20, 37-46, 1960). The interval is kappa ± 1.96 s with the large-sample standard error
    of J. L. Fleiss, J. Cohen and B. S. Everitt, Psychological Bulletin 72, 323-327, 1969, cut off at ±1.

    At full agreement s is 0; the lower limit is then that of the share agreed (Wilson) with e held fixed. The value is
    None, and the interval the widest, if one label is all that either says: chance alone then agrees fully.
    """
    n = int(table.sum())
    shares = table / max(n, 1)
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    agreed, expected = float(np.trace(shares)), float(rows @ columns)
    if n == 0 or expected >= 1 - 1e-12:
        return {"value": None, "low": -1.0, "high": 1.0, "n": n}
    value = (agreed - expected) / (1 - expected)
    if np.trace(table) == n:
        low = (proportion(n, n)["low"] / 100 - expected) / (1 - expected)
        return {"value": 1.0, "low": max(-1.0, low), "high": 1.0, "n": n}
    # The derivative of kappa by each cell's share; the delta method on it is the formula of Fleiss and others.
    slope = (np.eye(len(table)) * (1 - expected) - (1 - agreed) * (rows[None, :] + columns[:, None])) / (
        1 - expected
    ) ** 2
    mean = float((shares * slope).sum())
    error = sqrt(max(float((shares * slope**2).sum()) - mean * mean, 0.0) / n)
    return {"value": value, "low": max(-1.0, value - Z * error), "high": min(1.0, value + Z * error), "n": n}
