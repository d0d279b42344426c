"""The best rows of each category, where a row's category is the one with the highest of its scores."""

from collections.abc import Callable, Sequence

from star1.errors import UserError
from star1.sources.entries import Highest

Record = tuple[str, object]


def highest_of_each(
    rows: Sequence[Record], highest: Highest, scores_of: Callable[[Record], dict[str, float | None]]
) -> list[tuple[str, str, object]]:
    """Return (category, name, record) of the rows with the highest scores, category by category, highest first.

    Equal scores of a row fall to the earlier category, equal rows to the earlier row. A row without any score is left
    out.
    """
    found: dict[str, list[tuple[float, int]]] = {category: [] for category in highest.of}
    for place, row in enumerate(rows):
        scores = scores_of(row)
        known = [(category, score) for category in highest.of if (score := scores[category]) is not None]
        if known:
            category, score = max(known, key=lambda pair: pair[1])
            found[category].append((score, place))
    return [
        (category, *rows[place])
        for category, scored in found.items()
        for _, place in sorted(scored, key=lambda pair: (-pair[0], pair[1]))[: highest.rows]
    ]


def scores_of_row(found: object, highest: Highest, key: str, name: str) -> dict[str, float | None]:
    """Return what stands in the column of scores as a number for each category; None for null and NaN.

    Raises UserError for row `name` if it is no mapping, lacks a category, or has one whose score is no number.
    """
    if not isinstance(found, dict) or (lacking := [category for category in highest.of if category not in found]):
        has = f"its categories are {', '.join(map(str, found))}" if isinstance(found, dict) else "it is no mapping"
        what = f"no category {lacking[0]!r}" if isinstance(found, dict) else "no scores"
        raise UserError(f"{key}: there is {what} in row {name}; {has}.")
    scores: dict[str, float | None] = {}
    for category in highest.of:
        score = found[category]
        if isinstance(score, bool) or not isinstance(score, int | float | None):
            raise UserError(f"{key}: the score of {category} in row {name} is {str(score)[:60]!r}, which is no number.")
        scores[category] = None if score is None or score != score else score
    return scores
