"""One suite per artifact: what must be true of its table before any later stage may see it."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from star1.artifacts import ARTIFACTS, MAX_CHARS, MAY_BE_EMPTY
from star1.criteria import BENIGN_CRITERIA, OTHER, SAFETY_CRITERIA

ID = r"^[0-9a-f]{16}$"
RESPONSE = r"(?s)^<think>\n.+\n</think>\n\n.+"


def expectations(artifact: str, columns: list[str], categories: Sequence[str], verdicts: Sequence[str]) -> list[Any]:
    """Return the expectations for a table of `artifact`; `columns` are the flat table's.

    categories: the names that a row may carry beside Other; verdicts: the words that a column verdict may hold.
    """
    import great_expectations.expectations as gxe

    parts = [
        *_well_formed(gxe, artifact),
        *(e for column, make in _BY_COLUMN.items() if column in columns for e in make(gxe, column)),
        *(_category(gxe, categories) if artifact in _WITH_CATEGORY else []),
        *_SPECIAL.get(artifact, lambda gxe: [])(gxe),
        *(_verdict(gxe, verdicts) if "verdict" in columns else []),
    ]
    return parts


def _well_formed(gxe: Any, artifact: str) -> list[Any]:
    required = [name for name, column in ARTIFACTS[artifact].columns.items() if not column.optional]
    present = [gxe.ExpectColumnToExist(column=name) for name in required if name != "score"]
    filled = [gxe.ExpectColumnValuesToNotBeNull(column=name) for name in required if name != "score"]
    rows = [] if artifact in MAY_BE_EMPTY else [gxe.ExpectTableRowCountToBeBetween(min_value=1)]
    return [*present, *filled, *rows]


def _text(gxe: Any, column: str) -> list[Any]:
    return [
        gxe.ExpectColumnValueLengthsToBeBetween(column=column, min_value=1, max_value=MAX_CHARS),
        gxe.ExpectColumnValuesToMatchRegex(column=column, regex=r"\S"),
    ]


def _id(gxe: Any, column: str) -> list[Any]:
    return [gxe.ExpectColumnValuesToMatchRegex(column=column, regex=ID)]


def _category(gxe: Any, categories: Sequence[str]) -> list[Any]:
    name = "|".join(re.escape(name) for name in [*categories, OTHER])
    return [gxe.ExpectColumnValuesToMatchRegex(column="category", regex=rf"^(?:{name})(?: \| (?:{name}))*$")]


def _verdict(gxe: Any, verdicts: Sequence[str]) -> list[Any]:
    return [gxe.ExpectColumnValuesToBeInSet(column="verdict", value_set=list(verdicts))]


def _response(gxe: Any, column: str) -> list[Any]:
    return [gxe.ExpectColumnValuesToMatchRegex(column=column, regex=RESPONSE)]


_WITH_CATEGORY = (
    "published",
    "categorized",
    "cot",
    "scored",
    "full_score",
    "star1",
)  # of a benchmark, the category is its own word
_BY_COLUMN: dict[str, Callable[[Any, str], list[Any]]] = {
    "question": _text,
    "source": _text,
    "prompt": _text,
    "parent": _id,
}


def _unique(*columns: str) -> Callable[[Any], list[Any]]:
    def suite(gxe: Any) -> list[Any]:
        if len(columns) == 1:
            return [gxe.ExpectColumnValuesToBeUnique(column=columns[0])]
        return [gxe.ExpectCompoundColumnsToBeUnique(column_list=list(columns))]

    return suite


def _identified(gxe: Any) -> list[Any]:
    return [*_id(gxe, "id"), *_unique("id")(gxe)]


def _answered(gxe: Any) -> list[Any]:
    return [*_identified(gxe), *_response(gxe, "response"), *_text(gxe, "thinking"), *_text(gxe, "answer")]


def _scores(criteria: tuple[str, ...], lowest: int, highest: int) -> Callable[[Any], list[Any]]:
    def suite(gxe: Any) -> list[Any]:
        return [
            gxe.ExpectColumnValuesToBeBetween(column=f"score.{name}", min_value=lowest, max_value=highest)
            for name in criteria
        ]

    return suite


def _all(*suites: Callable[[Any], list[Any]]) -> Callable[[Any], list[Any]]:
    return lambda gxe: [expectation for suite in suites for expectation in suite(gxe)]


def _lineage(gxe: Any) -> list[Any]:
    return [
        gxe.ExpectColumnValuesToBeInSet(column="outcome", value_set=["dropped", "failed"]),
        *_text(gxe, "reason"),
    ]


def _failures(gxe: Any) -> list[Any]:
    return [
        *_text(gxe, "id"),  # of a row or, where a judge was asked, of a part of a reply
        *_unique("id")(gxe),
        gxe.ExpectColumnValuesToBeBetween(column="attempts", min_value=1),
        *_text(gxe, "reason"),
    ]


def _generations(gxe: Any) -> list[Any]:
    return [
        *_unique("benchmark", "prompt_id", "sample")(gxe),
        gxe.ExpectColumnValuesToBeInSet(column="finish_reason", value_set=["stop", "length", "error"]),
    ]


def _not_other(gxe: Any) -> list[Any]:
    return [gxe.ExpectColumnValuesToNotMatchRegex(column="category", regex=rf"(^|\| ){OTHER}($| \|)")]


def _labelled(gxe: Any) -> list[Any]:
    return [*_unique("prompt_id")(gxe), *_text(gxe, "label")]


_SPECIAL: dict[str, Callable[[Any], list[Any]]] = {
    "raw": _unique("source_id"),
    "benchmark": _unique("prompt_id"),
    "published": _all(_answered, _scores(SAFETY_CRITERIA, 0, 10), lambda gxe: _unique("published_id")(gxe)),
    "dataset": _all(lambda gxe: _id(gxe, "id"), lambda gxe: _text(gxe, "response")),
    "collection": _identified,
    "categorized": _identified,
    "cot": _all(_answered, _not_other),
    "scored": _all(_answered, _not_other, _scores(SAFETY_CRITERIA, 0, 10)),
    "full_score": _all(_answered, _not_other, _scores(SAFETY_CRITERIA, 0, 10)),
    "star1": _all(_answered, _not_other, _scores(SAFETY_CRITERIA, 0, 10)),
    "benign_questions": _identified,
    "benign_cot": _answered,
    "benign_scored": _all(_answered, _scores(BENIGN_CRITERIA, 1, 5)),
    "star_benign": _all(_answered, _scores(BENIGN_CRITERIA, 1, 5)),
    "star1_2k": _all(_identified, lambda gxe: _response(gxe, "response")),
    "lineage": _lineage,
    "failures": _failures,
    "labelled": _labelled,
    "agreement": _labelled,
    "generations": _generations,
    "judgements": _generations,
}
