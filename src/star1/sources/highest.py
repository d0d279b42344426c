"""The best rows of each category, where a row's category is the one with the highest of its scores."""

from collections.abc import Callable, Sequence

from star1.sources.entries import Highest

Record = tuple[str, object]


def highest_of_each(
    rows: Sequence[Record], highest: Highest, scores_of: Callable[[Record], dict[str, float | None]]
) -> list[tuple[str, str, object]]:
    """Return (category, name, record) of the rows with the highest scores, category by category, highest first.

    Equal scores of a row fall to the earlier category, equal rows to the earlier row. A row without any score is left
    out. Raises KeyError for a category that a row's scores lack.
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
