"""How far a judge agrees with people, or with another judge: share agreed, Cohen's kappa and the confusion table."""

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np

from star1.evaluation.intervals import Interval, Z, proportion, share


def agreement(people: Sequence[str], judge: Sequence[str], prompts: Sequence[str] | None = None) -> dict[str, Any]:
    """Return how far the judge's labels agree with those of people; entry i of both is about reply i.

    {"agreed": Interval in percent, "kappa": Interval from -1 to 1, "confusion": {label of people: {label of the judge:
    count}}}. Every label of either has a row and a column, in alphabetical order. `prompts` names the prompt of each
    reply, where one may have several: intervals count prompts. Raises ValueError if the lengths differ.
    """
    if len(people) != len(judge):
        raise ValueError(f"agreement needs two labels for each reply, got {len(people)} and {len(judge)}")
    labels = sorted({*people, *judge})
    place = {label: number for number, label in enumerate(labels)}
    owners = range(len(people)) if prompts is None else prompts
    number_of = {owner: number for number, owner in enumerate(dict.fromkeys(owners))}
    by_prompt = np.zeros((len(number_of), len(labels), len(labels)), dtype=int)
    for owner, one, other in zip(owners, people, judge, strict=True):
        by_prompt[number_of[owner], place[one], place[other]] += 1
    table = by_prompt.sum(axis=0)
    return {
        "agreed": share(by_prompt.trace(axis1=1, axis2=2), by_prompt.sum(axis=(1, 2))),
        "kappa": kappa(table, by_prompt),
        "confusion": {
            label: dict(zip(labels, row.tolist(), strict=True)) for label, row in zip(labels, table, strict=True)
        },
    }


def kappa(table: np.ndarray, by_prompt: np.ndarray | None = None) -> Interval:
    """Return Cohen's kappa of a square table of counts with a 95 % interval, from -1 to 1 (not in percent).

    by_prompt: the tables of single prompts (prompts x labels x labels) where one may have several replies; the replies
    to a prompt are a cluster, and their deviations add up before they are squared.

    kappa = (a - e) / (1 - e), a the share on the diagonal, e the share expected from the margins (J. Cohen, Educational
    and Psychological Measurement 20, 37-46, 1960). The interval is kappa ± 1.96 s with the large-sample standard error
    of J. L. Fleiss, J. Cohen and B. S. Everitt, Psychological Bulletin 72, 323-327, 1969, cut off at ±1.

    At full agreement s is 0; the lower limit is then that of the share agreed (Wilson) with e held fixed. The value is
    None, and the interval the widest, if one label is all that either says: chance alone then agrees fully.
    """
    replies = int(table.sum())
    n = replies if by_prompt is None else len(by_prompt)
    shares = table / max(replies, 1)
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    agreed, expected = float(np.trace(shares)), float(rows @ columns)
    if n == 0 or expected >= 1 - 1e-12:
        return {"value": None, "low": -1.0, "high": 1.0, "n": n}
    value = (agreed - expected) / (1 - expected)
    if np.trace(table) == replies:
        low = (proportion(n, n)["low"] / 100 - expected) / (1 - expected)
        return {"value": 1.0, "low": max(-1.0, low), "high": 1.0, "n": n}
    # The derivative of kappa by each cell's share; the delta method on it is the formula of Fleiss and others.
    slope = (np.eye(len(table)) * (1 - expected) - (1 - agreed) * (rows[None, :] + columns[:, None])) / (
        1 - expected
    ) ** 2
    deviations = slope - float((shares * slope).sum())
    squares = table * deviations**2 if by_prompt is None else (by_prompt * deviations).sum(axis=(1, 2)) ** 2
    error = sqrt(float(squares.sum())) / replies
    return {"value": value, "low": max(-1.0, value - Z * error), "high": min(1.0, value + Z * error), "n": n}
