"""Boxed answers made plain: spacing, fonts, delimiters and units taken off, Unicode written as LaTeX, numbers read."""

import re
from fractions import Fraction

UNICODE = {
    "\N{MINUS SIGN}": "-",
    "\N{EN DASH}": "-",
    "\N{MULTIPLICATION SIGN}": r"\times ",
    "\N{MIDDLE DOT}": r"\cdot ",
    "\N{DIVISION SIGN}": r"\div ",
    "\N{GREEK SMALL LETTER PI}": r"\pi ",
    "\N{GREEK SMALL LETTER THETA}": r"\theta ",
    "\N{INFINITY}": r"\infty ",
    "\N{DEGREE SIGN}": r"^\circ ",
    "\N{PLUS-MINUS SIGN}": r"\pm ",
    "\N{LESS-THAN OR EQUAL TO}": r"\le ",
    "\N{GREATER-THAN OR EQUAL TO}": r"\ge ",
    "\N{NOT EQUAL TO}": r"\ne ",
    "\N{UNION}": r"\cup ",
    "\N{INTERSECTION}": r"\cap ",
    "\N{ELEMENT OF}": r"\in ",
    "\N{SUPERSCRIPT TWO}": "^2",
    "\N{SUPERSCRIPT THREE}": "^3",
    "\N{VULGAR FRACTION ONE HALF}": r"\frac{1}{2}",
    "\N{VULGAR FRACTION ONE QUARTER}": r"\frac{1}{4}",
    "\N{VULGAR FRACTION THREE QUARTERS}": r"\frac{3}{4}",
}
TRANSLATION = str.maketrans(UNICODE)
ROOT = re.compile(r"√ ?(?:\(([^()]{1,100})\)|(\d{1,50}|[A-Za-z]))")

FONT = r"\\(?:text|textbf|textit|textrm|textnormal|mathrm|mathbf|mathit|mbox|operatorname)\b ?"
WRAPPED = re.compile(rf"{FONT}\{{([^{{}}]*)\}}")
# Two backslashes end a row of a matrix: the second one starts no command.
GAPS = re.compile(r"(?<!\\)\\[!,;: ]|\\(?:quad|qquad|displaystyle|limits)(?![A-Za-z])|~")
ROW_GAPS = re.compile(r"\\\\\[-?[\d.]{1,6} ?[a-z]{2}\]")
THOUSANDS = re.compile(r"(?<=\d)(?:\{,\}|\\,|,\\!|, ?\\! ?)(?=\d{3}(?!\d))")
SIZES = re.compile(r"\\(?:left|right|bigl|bigr|Bigl|Bigr|big|Big)(?![A-Za-z])\.?")
FRACTIONS = re.compile(r"\\[dtc]frac(?![A-Za-z])")
MEMBER = re.compile(r"^[A-Za-z] ?\\in(?![A-Za-z]) ?")
DELIMITERS = re.compile(r"(?<!\\)\\[()\[\]]|\\?\$")
ORDINAL = re.compile(rf"\^ ?\{{? ?{FONT}\{{ ?(?:st|nd|rd|th) ?\}} ?\}}?")
DEGREES = re.compile(r" ?\^ ?(?:\\circ|\{ ?\\circ ?\}|\\degree)\s*$| ?\\degree\s*$")

POWER = r"(?: ?\^ ?(?:\d|\{\d\}))?"
UNIT_AT_END = re.compile(rf"^(.*[\d}})A-Za-z]) ?{FONT}\{{([^{{}}]{{1,60}})\}}{POWER}$")
WORD_AT_END = re.compile(rf"^([-+\d.,/ ]*\d|.*\}}) ?((?:square |cubic |sq |cu )?[A-Za-z]{{2,12}}){POWER}$")

UNITS = {
    word: names.split()[0]
    for names in (
        "mm millimeter millimeters millimetre millimetres",
        "cm centimeter centimeters centimetre centimetres",
        "m meter meters metre metres",
        "km kilometer kilometers kilometre kilometres",
        "inch in inches",
        "foot ft feet",
        "yard yd yards",
        "mile mi miles",
        "second s sec seconds",
        "minute min minutes",
        "hour h hr hours",
        "day days",
        "week weeks",
        "month months",
        "year yr years",
        "cent cents",
        "dollar dollars",
        "g gram grams",
        "kg kilogram kilograms",
        "mg milligram milligrams",
        "pound lb lbs pounds",
        "ounce oz ounces",
        "degree deg degrees",
        "radian rad radians",
        "mph",
        "unit units",
    )
    for word in names.split()
}
# Words behind a number that change its value, or are no unit.
NO_UNITS = frozenset(
    word
    for words in (
        "hundred thousand million billion trillion dozen half halves third thirds quarter quarters tenth hundredth",
        "or and if not no base mod times over pi percent per to than for when where plus minus by",
    )
    for word in words.split()
)


def plain(text: str) -> str:
    """Return an answer without delimiters, gaps, sizes of brackets and final stops, in one line, Unicode as LaTeX."""
    text = ROOT.sub(lambda match: rf"\sqrt{{{match.group(1) or match.group(2)}}}", text.translate(TRANSLATION))
    text = THOUSANDS.sub("", text)
    text = ORDINAL.sub("", SIZES.sub("", FRACTIONS.sub(r"\\frac", text)))
    text = ROW_GAPS.sub(r"\\\\ ", text)
    text = " ".join(DELIMITERS.sub("", GAPS.sub(" ", text)).split()).rstrip(" .,;:\\")
    wrapped = WRAPPED.fullmatch(text)
    text = wrapped.group(1).strip(" .,;:") if wrapped and not re.search("[A-Za-z]{2}", wrapped.group(1)) else text
    return MEMBER.sub("", text)


def without_unit(text: str) -> tuple[str, str | None]:
    """Split a plain text into its value and the name of its unit: "5 \\text{ cm}^2" is ("5", "cm"); None without one.

    A unit is any words in a font command behind a value, unless they change the value ("million") or are no unit
    ("or"); or the bare name of a known unit behind a number.
    """
    wrapped = UNIT_AT_END.match(text)
    if wrapped:
        words = re.findall(r"[a-z]+", wrapped.group(2).lower())
        value = wrapped.group(1).strip()
        # \text{i} and \mathrm{e} are numbers; \text{m} behind a number is a metre.
        letter = len(words) == 1 and len(words[0]) == 1 and not (words[0] in UNITS and number_of(value) is not None)
        if words and not letter and not NO_UNITS.intersection(words):
            return value, _unit(words)
    bare = WORD_AT_END.match(text)
    if bare and bare.group(2).lower().split()[-1] in UNITS:
        return bare.group(1).strip(), _unit(bare.group(2).lower().split())
    value = DEGREES.sub("", text)
    return (value, "degree") if value != text else (text, None)


def _unit(words: list[str]) -> str:
    kept = [word for word in words if word not in ("square", "cubic", "sq", "cu")]
    return UNITS.get(" ".join(kept), "?")


def words_of(text: str) -> str | None:
    """Return the words of a plain text that is only words, in small letters; None where it is a formula.

    One or two letters are a word only in a font command or in parentheses, as in "\\text{(C)}": "p - q" is a formula.
    """
    inner = WRAPPED.sub(r"\1", text)
    if not re.fullmatch(r"[A-Za-z() '\-.]+", inner):
        return None
    words = re.findall(r"[a-z]+", inner.lower())
    if inner == text and not re.fullmatch(r"\([A-Za-z]\)", text) and all(len(word) < 3 for word in words):
        return None
    if not words:
        return None
    return " ".join(words[1:] if len(words) > 1 and words[0] in ("a", "an", "the") else words)


DIGITS = r"(?:\d{1,3}(?:,\d{3})+|\d{1,60})?(?:\.\d{0,60})?"
DECIMAL = re.compile(
    rf"([-+]?) ?(?=\.?\d)({DIGITS})(?: ?(?:\\times|\\cdot) ?10 ?\^ ?(?:\{{ ?(-?\d{{1,3}}) ?\}}|(\d)))?"
)
PART = r"(?:\{ ?(-?\d{1,60}) ?\}|(\d))"
RATIO = re.compile(
    rf"([-+]?) ?(?:(\d{{1,60}}) ?(?=\\frac)|(\d{{1,60}}) (?=\d))?"
    rf"(?:\\frac ?{PART} ?{PART}|(-?\d{{1,60}}) ?/ ?(\d{{1,60}}))"
)


def number_of(text: str) -> Fraction | None:
    """Return the value of a plain text that is one number: 1,000, .5, 6.7 \\times 10^{-5}, 7/2, \\frac72, 3 1/2.

    None for everything else, and for a division by zero.
    """
    match = DECIMAL.fullmatch(text)
    if match:
        sign, digits, *exponents = match.groups()
        exponent = int(next((found for found in exponents if found), "0"))
        value = Fraction(digits.replace(",", "").rstrip(".") or "0") * Fraction(10) ** exponent
        return -value if sign == "-" else value
    match = RATIO.fullmatch(text)
    if match is None:
        return None
    sign, whole, spaced, *parts = match.groups()
    above, below = (int(part) for part in parts if part is not None)
    mixed = whole or spaced
    if below == 0 or (mixed and not 0 < above < below):
        return None
    value = Fraction(above, below) + int(mixed or 0)
    return -value if sign == "-" else value


def decimals(text: str) -> int:
    """Return how many digits stand behind the point of a plain decimal, 0 where there is no point."""
    return len(text.partition(".")[2]) if re.fullmatch(r"[-+]?[\d,]*\.\d+", text) else 0
