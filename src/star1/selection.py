"""The full-score filter and the diversity selection: from all scored rows to the k that stay."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from star1.criteria import OTHER

NOT_FULL_SCORE = "not full score"
NO_SCORE = "no score"
COPY = "same question as another row"
CATEGORY_OTHER = "category Other"
OVER_REPRESENTED = "over-represented"

STAGE = "select"

Removal = tuple[str, str, str, float | None, str]  # id, source, reason, value, detail


def first_of_each(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep one row of each id, and return the lineage of the others. STAR-1 is part of STAR-41K.

    rows: at least id, source, score. The first row that has a score is kept, the first one where none has.
    """
    scored_first = rows["score"].isna().sort_values(kind="stable").index
    again = rows.loc[scored_first, "id"].duplicated().reindex(rows.index)
    copies = rows[again]
    dropped = [
        (i, source, COPY, None, "published twice") for i, source in zip(copies["id"], copies["source"], strict=True)
    ]
    return rows[~again].reset_index(drop=True), _lineage(dropped)


def full_score(rows: pd.DataFrame, score: int) -> tuple[list[str], pd.DataFrame]:
    """Keep the rows with at least the full score on every criterion whose categories do not include Other.

    Args:
        rows: id, source, category (list of str), score (criterion to int, or None for a published row without one).
        score: the minimum on each criterion; the paper's is 10, the maximum.

    Returns:
        The ids that stay, in the order of the input, and the lineage of the others: `value` is a row's lowest score,
        `detail` the criteria below the minimum.
    """
    kept: list[str] = []
    dropped: list[Removal] = []
    for row_id, source, categories, scores in zip(
        rows["id"], rows["source"], rows["category"], rows["score"], strict=True
    ):
        if scores is None:
            dropped.append((row_id, source, NO_SCORE, None, "published without a score"))
            continue
        short = {criterion: given for criterion, given in scores.items() if given < score}
        if short:
            detail = ", ".join(f"{criterion} {given}" for criterion, given in short.items())
            dropped.append((row_id, source, NOT_FULL_SCORE, float(min(short.values())), detail))
        elif OTHER in categories:
            dropped.append((row_id, source, CATEGORY_OTHER, None, ", ".join(categories)))
        else:
            kept.append(row_id)
    return kept, _lineage(dropped)


def select(rows: pd.DataFrame, k: int) -> tuple[list[str], pd.DataFrame]:
    """Drop the most over-represented row until k remain (the paper's diversity selection).

    Each step drops the row with the largest P(source) * sum over its categories of P(category), where P(source) is the
    source's share of the rows left and P(category) the category's share of the category labels left. All rows share
    both denominators, so the order is that of rows(source) * sum of rows(category): exact integers, no rounding. Of
    equals, the one with the largest id goes. So the outcome does not depend on the order of the rows.

    Rows of one source and one set of categories are always equals: the search is over such groups, a few hundred of
    them, with the counts kept up to date.

    Args:
        rows: id (unique), source, category (list of str; one that a row names twice counts once).
        k: how many rows to keep.

    Returns:
        The ids that stay, in the order of the input, and the lineage of the others, in the order of their removal:
        `value` is the product of probabilities at that step, `detail` says which step of how many.
    """
    if not rows["id"].is_unique:
        raise ValueError("select: the ids are not unique")
    ids = rows["id"].tolist()
    sources, source_names = pd.factorize(rows["source"])
    groups = _groups(sources, rows["category"])
    group_source = np.array([source for source, _ in groups], dtype=np.int64)
    names = sorted({name for _, categories in groups for name in categories})
    member = np.array([[name in categories for name in names] for _, categories in groups], dtype=np.int64)
    member = member.reshape(len(groups), len(names))

    # A group's rows wait in the order of their ids; the largest is at the end and goes first.
    place_of_id = {row_id: place for place, row_id in enumerate(sorted(ids))}
    waiting = [sorted(group_rows, key=lambda row: place_of_id[ids[row]]) for group_rows in groups.values()]
    size = np.array([len(group_rows) for group_rows in waiting], dtype=np.int64)
    largest_id = np.array([place_of_id[ids[group_rows[-1]]] for group_rows in waiting], dtype=np.int64)
    used_up = np.zeros(len(groups), dtype=bool)

    # For each group, kept up to date: the rows of its source, and the sum over its categories of their rows.
    same_source = group_source[:, None] == np.arange(len(source_names))
    source_rows = same_source @ (size @ same_source)
    category_rows = member @ (size @ member)
    labels = int((size @ member).sum())  # category labels on all rows left
    source_columns, category_columns = same_source.T.astype(np.int64), np.ascontiguousarray(member.T)
    category_numbers = [np.flatnonzero(categories).tolist() for categories in member]

    removed = []
    steps = max(len(ids) - k, 0)
    for step in range(steps):
        weight = source_rows * category_rows
        weight[used_up] = -1
        equals = np.flatnonzero(weight == weight.max())
        group = int(equals[largest_id[equals].argmax()])
        probability = int(weight[group]) / max((len(ids) - step) * labels, 1)
        removed.append((waiting[group].pop(), probability, f"step {step + 1} of {steps}"))
        source_rows -= source_columns[group_source[group]]
        for category in category_numbers[group]:
            category_rows -= category_columns[category]
        labels -= len(category_numbers[group])
        if waiting[group]:
            largest_id[group] = place_of_id[ids[waiting[group][-1]]]
        else:
            used_up[group] = True

    gone = {row for row, _, _ in removed}
    kept = [row_id for row, row_id in enumerate(ids) if row not in gone]
    source_of = rows["source"].tolist()
    dropped = [(ids[row], source_of[row], OVER_REPRESENTED, value, detail) for row, value, detail in removed]
    return kept, _lineage(dropped)


def _groups(
    sources: npt.NDArray[np.intp], categories: Iterable[Sequence[str]]
) -> dict[tuple[int, frozenset[str]], list[int]]:
    """Return the rows of each (source, set of categories), in the order in which these first come."""
    groups: dict[tuple[int, frozenset[str]], list[int]] = {}
    for row, (source, names) in enumerate(zip(sources.tolist(), categories, strict=True)):
        groups.setdefault((source, frozenset(names)), []).append(row)
    return groups


def _lineage(dropped: Sequence[Removal]) -> pd.DataFrame:
    """Return the lineage of removals."""
    frame = pd.DataFrame(dropped, columns=["id", "source", "reason", "value", "detail"])
    frame = frame.astype({"id": "str", "source": "str", "reason": "str", "value": "float64", "detail": "str"})
    frame.insert(2, "stage", STAGE)
    frame.insert(3, "outcome", "dropped")
    frame.insert(5, "because_of", pd.Series([None] * len(frame), dtype="str"))
    return frame
