"""The program of a worker: is one plain LaTeX text equal to another by math-verify? Started by equality.py only.

math-verify's own time limits are off: they rest on SIGALRM, and a limit that fires returns False like a comparison.
Its extraction is not used either, since it falls back on any number of the text: each text goes in as one formula.
"""

import re
from functools import lru_cache
from typing import Any

from latex2sympy2_extended.latex2sympy2 import NormalizationConfig
from latex2sympy2_extended.sets import FiniteSet
from math_verify import LatexExtractionConfig, parse, verify
from sympy import (
    And,
    Basic,
    Eq,
    Expr,
    GreaterThan,
    Interval,
    LessThan,
    N,
    Or,
    StrictGreaterThan,
    StrictLessThan,
    Tuple,
)
from sympy.matrices import MatrixBase

from star1.evaluation.grading.workers import serve

# Units are off: with them "6c" is 6 and "3t" is 3.
NORMAL = NormalizationConfig(
    basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none", equations=False
)
FORMULA = (LatexExtractionConfig(boxed_match_priority=-1, normalization_config=NORMAL),)
IS_INTERVAL = re.compile(r"\\infty|\\cup|^\[|\]$")
JOINT = re.compile(r"\b(or|and)\b")
INEQUALITY = (GreaterThan, LessThan, StrictGreaterThan, StrictLessThan)
CLOSEST = 1e-5
NOISE = 1e-15


@lru_cache(maxsize=4096)
def parsed(text: str) -> Any:
    """Return the SymPy object of a formula, or None where math-verify cannot read it."""
    found = parse(f"${text}$", FORMULA, parsing_timeout=None)
    return found[0] if found and isinstance(found[0], (Basic, MatrixBase)) else None


def equal(question: list[str]) -> bool:
    """Return whether the second text equals the first, the right one. What cannot be read is equal to nothing."""
    gold, found = (parsed(text) for text in question)
    regions = [_region(value, text) for value, text in zip((gold, found), question, strict=True)]
    joined = regions != [gold, found] and not any(isinstance(each, FiniteSet) for each in regions)
    if joined:
        gold, found = regions
    if gold is None or found is None or _mixed(gold, found) or _has_variables_left(gold, found):
        return False
    if not _near(gold, found):
        return False
    relation = joined or bool(IS_INTERVAL.search(question[0]))
    return bool(verify([gold], [found], timeout_seconds=None, allow_set_relation_comp=relation))


def _region(value: Any, text: str) -> Any:
    """Return the set of numbers of inequalities in one variable that "or" or "and" joins; of all else the value.

    math-verify reads both words as commas: with it "x > 2 or x < 3" is "x > 2 and x < 3".
    """
    parts = value.args if isinstance(value, FiniteSet) else ()
    words = set(JOINT.findall(text))
    simple = all(isinstance(part, INEQUALITY) and any(side.is_Symbol for side in part.args) for part in parts)
    if not parts or not simple or len(words) != 1 or len(value.free_symbols) != 1:
        return value
    return (Or if words == {"or"} else And)(*parts).as_set()


def _mixed(gold: Any, found: Any) -> bool:
    """True for an ordered pair beside an unordered list: (1, 2) is not "1, 2"."""
    ordered = [isinstance(side, (Interval, Tuple)) for side in (gold, found)]
    listed = [isinstance(side, FiniteSet) for side in (gold, found)]
    return (ordered[0] and listed[1]) or (listed[0] and ordered[1])


def _has_variables_left(gold: Any, found: Any) -> bool:
    """True for a formula in variables beside a number. math-verify would simplify it for seconds, in vain."""
    value = found.rhs if isinstance(found, Eq) else found
    return isinstance(gold, Expr) and not gold.free_symbols and isinstance(value, Expr) and bool(value.free_symbols)


def _near(gold: Any, found: Any) -> bool:
    """False for two numbers of different size: math-verify takes longer, and rounds to six places whatever the size."""
    try:
        right, answered = complex(N(gold, 20)), complex(N(found, 20))
    except (TypeError, ValueError, AttributeError, OverflowError):
        return True
    return abs(right - answered) <= CLOSEST * abs(right) + NOISE


if __name__ == "__main__":
    serve(equal)
