"""Is a mathematical answer equal to the right one? Words, bases and numbers are compared here; the rest by math-verify.

math-verify is not asked where it errs: it ignores bases (52_8 = 52_9), rounds to six decimals whatever the size
(0.0000672 = 0.0000671), drops percent signs, and reads "137 1/2" as a product.
"""

import re
from collections.abc import Sequence
from fractions import Fraction

from star1.evaluation.grading.latex import decimals, number_of, plain, without_unit, words_of
from star1.evaluation.grading.verdicts import Claim, Outcome, outcome
from star1.evaluation.grading.workers import Lost
from star1.evaluation.grading.workers import ask as ask_workers

LONGEST = 1000
FONT = r"(?:\\(?:text|mathrm) ?\{ ?)?"
# 52_8, 52_{(8)}, 52_{\text{eight}}, 52 \text{ (base 8)}
BASED = re.compile(
    rf"\(?(\d[0-9A-Z]*)\)? ?(?:_ ?\{{? ?{FONT}\(?(?:base )?|{FONT}\(?base[ }}]+)(\d{{1,2}}|[a-z]{{3,7}})[ }})]{{0,6}}"
)
BASES = {"two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9"}
BASES |= {"ten": "10", "twelve": "12", "sixteen": "16"}
ASKS_PERCENT = re.compile(r"\b(?:what|which|many|an?|the|in|nearest)\s+(?:\w+\s+){0,2}percent", re.IGNORECASE)
PERCENT = re.compile(r" ?(?:\\?%|\\(?:text|mbox|mathrm) ?\{ ?(?:\\?%|percent) ?\}|percent)$")
CHOICE = re.compile(r"(?:\\text(?:bf)? ?\{ ?)?\(([A-Z])\)")
ANOTHER_CHOICE = re.compile(r"(?:,|/|\bor\b|\band\b)[ }]*(?:\\text(?:bf)? ?\{ ?)?\(([A-Z])\)")
GAP = re.compile(r"(?<!\d) | (?!\d)| (?=\d{3}(?!\d))")  # a space that says nothing: not that of "1 2"
NAMED = re.compile(r"\\?[A-Za-z]+(?:_\{?\w+\}?)?(?:\([^()]*\))? ?=")  # "y =" or "f(x) =", not "x - y ="
CPU_LIMIT_S = 5
# What still has to be computed. With it, the question itself would be a right answer to "Compute \\sin 30^\\circ".
UNDONE = re.compile(r"\\(?:arc)?(?:sin|cos|tan|cot|sec|csc|log|ln|lg|sum|prod|int|lim|det)(?![A-Za-z])")
PROGRAM = "star1.evaluation.grading.symbolic"


def compare(claims: Sequence[Claim], workers: int | None = None, cpu_limit_s: float = CPU_LIMIT_S) -> list[Outcome]:
    """Return the outcome of each claim: correct or wrong, or unjudged where nobody can say.

    Unjudged is an answer longer than 1,000 characters and one over which math-verify runs out of CPU time, memory or
    stack: such an answer may be equal to the right one, so "wrong" would be a guess, and the fault is as much the
    program's as the model's. The strict figure counts it as a failure all the same, and detail says why.
    The outcomes do not depend on `workers`: the limit is on CPU time, each process starts with the same hash seed,
    and equal claims are asked once.
    """
    results: dict[Claim, Outcome] = {}
    asked: dict[tuple[str, str], None] = {}
    waiting: dict[Claim, tuple[str, str]] = {}
    for claim in dict.fromkeys(claims):
        known = known_without_algebra(claim)
        if isinstance(known, Outcome):
            results[claim] = known
        else:
            asked[known], waiting[claim] = None, known
    replies = dict(zip(asked, ask_workers(PROGRAM, list(asked), cpu_limit_s, workers), strict=True))
    for claim, question in waiting.items():
        reply = replies[question]
        results[claim] = Outcome("unjudged", reply.why) if isinstance(reply, Lost) else outcome(bool(reply))
    return [results[claim] for claim in claims]


def known_without_algebra(claim: Claim) -> Outcome | tuple[str, str]:
    """Return the outcome where no algebra is needed, else the two plain texts that math-verify is to compare."""
    if len(claim.found) > LONGEST:
        return Outcome("unjudged", f"the answer has more than {LONGEST:,} characters")
    gold, found = plain(claim.gold), plain(claim.found)
    if GAP.sub("", gold) == GAP.sub("", found):
        return outcome(True)
    for compared in (_same_words(gold, found), _same_base(gold, found)):
        if compared is not None:
            return outcome(compared)
    dollars = ["dollar" if "\\$" in text else None for text in (claim.gold, claim.found)]
    asks_percent = bool(ASKS_PERCENT.search(claim.prompt))
    gold, gold_unit = without_unit(_without_percent(gold, asks_percent))
    found, found_unit = without_unit(_without_percent(found, asks_percent))
    gold_unit, found_unit = gold_unit or dollars[0], found_unit or dollars[1]
    if gold_unit and found_unit and "?" not in (gold_unit, found_unit) and gold_unit != found_unit:
        return outcome(False)
    if "=" not in gold or ("=" not in found and NAMED.match(gold)):
        gold, found = _right_side(gold), _right_side(found)
    right, answered = number_of(gold), number_of(found)
    if right is not None and answered is not None:
        return outcome(_same_number(right, answered, decimals(found)))
    if right is not None and UNDONE.search(found):
        return outcome(False)
    if "\\gcd" in claim.prompt and gold.endswith("= 0") and re.search("= ?0$", found):
        # The question fixes the factor of the equation: compare the left sides, not the sets of solutions.
        return gold.rpartition("=")[0].strip(), found.rpartition("=")[0].strip()
    return gold, found


def _same_words(gold: str, found: str) -> bool | None:
    """Compare words; None where the right answer is a formula. "(C) 12 cm" names the choice (C)."""
    right = words_of(gold)
    if right is None:
        return None
    choice = CHOICE.match(found)
    if len(right) == 1 and choice:
        return all(letter.lower() == right for letter in [choice[1], *ANOTHER_CHOICE.findall(found, choice.end())])
    return words_of(found) == right or (len(right) == 1 and found.lower() == right)


def _same_base(gold: str, found: str) -> bool | None:
    """Compare digits with a base, as 52_8; None where neither has one.

    An answer may leave out the base that the question names; the answer to a question without a base has base 10.
    """
    right, answered = _based(gold), _based(found.rpartition("=")[2].strip())
    if right is None and answered is None:
        return None
    base = right[1] if right else "10"
    return (right or (gold.replace(",", ""), base)) == (answered or (found.replace(",", ""), base))


def _based(text: str) -> tuple[str, str] | None:
    """Split "52_8" into ("52", "8"), in whatever way the base is written; None without one."""
    match = BASED.fullmatch(text)
    base = match and (match[2] if match[2].isdigit() else BASES.get(match[2]))
    return (match[1], base) if match and base else None


def _without_percent(text: str, asks_percent: bool) -> str:
    """Drop the sign where the question asks for a percentage, so that 10 = 10\\%; elsewhere 10\\% is 1/10."""
    value = PERCENT.sub("", text)
    if value == text or asks_percent:
        return value
    number = number_of(value)
    return rf"\frac{{{value}}}{{100}}" if number is None else str(number / 100)


def _right_side(text: str) -> str:
    """Return what x is in "x = 5" or "x = 2 + 3 = 5"; the text itself where it is several statements or none."""
    left, _, right = text.rpartition("=")
    several = re.search(r"[,;<>!]|\\(?:pm|ne|neq|le|ge|leq|geq)\b|\b(?:or|and)\b", left)
    return text if several or not left else right.strip()


def _same_number(right: Fraction, answered: Fraction, places: int) -> bool:
    """Compare exactly; a decimal may round or cut a number that has no finite decimal, to six places or more."""
    if right == answered:
        return True
    rest = right.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    near = abs(right - answered) <= min(Fraction(1, 10**places), abs(right) / 10**5)
    return rest > 1 and places >= 6 and near
