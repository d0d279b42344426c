"""Sums of the miniature world: two-digit addition and subtraction, bare and as one-step word problems, with
digit-by-digit thoughts.

A thought names the digits and says whether one is carried before it computes, and ends with the ones, so that the
answer's last digit stands right before the answer: a small model copies from there more surely than from further back.
"""

from dataclasses import dataclass
from random import Random

from star1.miniature.world.frames import digest

NAMES = ("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Greta", "Hugo")
THINGS = ("apples", "stamps", "marbles", "books", "coins", "shells", "pens", "cards")


@dataclass(frozen=True)
class Sum:
    """One task: its question, the thought that solves it, and the answer."""

    question: str
    thought: str
    answer: str


def held_out(a: int, b: int) -> bool:
    """True for the unordered operand pairs (one in eight) that only benchmarks ask about."""
    return digest("sum", min(a, b), max(a, b)) % 8 == 0


def _add(a: int, b: int) -> str:
    ones, tens = a % 10 + b % 10, a // 10 + b // 10
    middle = f"{a // 10}+{b // 10}={tens}"
    if ones > 9:
        middle = f"carry 1, {middle}, {tens}+1={tens + 1}"
    return f"{a} + {b}: {a % 10} and {b % 10}, {middle}, {a % 10}+{b % 10}={ones}, so {a + b}."


def _subtract(a: int, b: int) -> str:
    ones, tens = a % 10, a // 10 - b // 10
    middle = f"{a // 10}-{b // 10}={tens}"
    if ones < b % 10:
        ones, middle = ones + 10, f"borrow 1, {middle}, {tens}-1={tens - 1}"
    return f"{a} - {b}: {a % 10} and {b % 10}, {middle}, {ones}-{b % 10}={ones - b % 10}, so {a - b}."


def drill(random: Random) -> Sum:
    """Draw a fact that longer sums are made of: a one-digit sum, or a difference of which the second operand and the
    result have one digit.
    """
    a, b = random.randint(0, 9), random.randint(0, 9)
    left, right, sign, result = (a, b, "+", a + b) if random.random() < 0.5 else (a + b, b, "-", a)
    return Sum(f"What is {left} {sign} {right}?", f"{left}{sign}{right}={result}.", str(result))


def draw(random: Random, kind: str, benchmark: bool) -> Sum:
    """Draw a task of kind "arithmetic" or "word" whose operand pair is held out or not, as `benchmark` says."""
    while True:
        a, b = random.randint(10, 99), random.randint(10, 99)
        if a != b and held_out(a, b) == benchmark:
            break
    high, low = max(a, b), min(a, b)
    adds = random.random() < 0.5
    if kind == "arithmetic":
        asks = random.choice(("What is {}?", "Compute {}."))
        if adds:
            return Sum(asks.format(f"{a} + {b}"), _add(a, b), str(a + b))
        return Sum(asks.format(f"{high} - {low}"), _subtract(high, low), str(high - low))
    name, thing = random.choice(NAMES), random.choice(THINGS)
    if adds:
        verb = random.choice(("gets", "finds", "buys"))
        question = f"{name} has {a} {thing} and {verb} {b} more. How many {thing} does {name} have now?"
        return Sum(question, _add(a, b), str(a + b))
    verb = random.choice(("loses", "sells", "gives away"))
    question = f"{name} has {high} {thing} and {verb} {low}. How many {thing} are left?"
    return Sum(question, _subtract(high, low), str(high - low))
