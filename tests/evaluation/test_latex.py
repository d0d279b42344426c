"""Boxed answers made plain, and the numbers that need no algebra."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star1.evaluation.grading.equality import known_without_algebra
from star1.evaluation.grading.latex import number_of, plain, without_unit, words_of
from star1.evaluation.grading.verdicts import Claim, outcome


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (r"$\left( \dfrac{3}{2},\, -13 \right)$.", r"( \frac{3}{2}, -13 )"),
        (r"\(5\)", "5"),
        (r"11,\! 111,\! 111,\! 100", "11111111100"),
        (r"10\,080", "10080"),
        (r"\begin{pmatrix} 1 \\[2pt] 2 \end{pmatrix}", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        (r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}\\", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
        (r"\left\{1, 2\right\}", r"\{1, 2\}"),
        (r"12^{\mathrm{th}}", "12"),
        (r"x \in [-2,7]", "[-2,7]"),
        ("3\N{SQUARE ROOT}13", r"3\sqrt{13}"),
        (r"\textbf{5}", "5"),
        ("9.,;\n", "9"),
        (r"\$18.90", "18.90"),
    ],
)
def test_plain(text: str, made: str) -> None:
    assert plain(text) == made


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        (r"15\mbox{ cm}^2", "15", "cm"),
        (r"864 \text{ square inches}", "864", "inch"),
        (r"5 \text{ apples}", "5", "?"),
        ("16 feet", "16", "foot"),
        (r"90^\circ", "90", "degree"),
        (r"5 \text{ million}", r"5 \text{ million}", None),
        (r"3\text{i}", r"3\text{i}", None),
        ("5 ab", "5 ab", None),
        ("2m", "2m", None),
    ],
)
def test_without_unit(text: str, value: str, unit: str | None) -> None:
    assert without_unit(text) == (value, unit)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (r"\text{Evelyn}", "evelyn"),
        ("an ellipse", "ellipse"),
        (r"\text{(C)}", "c"),
        ("(C)", "c"),
        ("C", None),
        ("p - q", None),
        ("(p)(q)", None),
        ("ab", None),
        (r"\text{No}", "no"),
        ("2k", None),
        (r"\pi", None),
    ],
)
def test_words_of(text: str, words: str | None) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1,000", 1000),
        (".5", Fraction(1, 2)),
        ("-3.25", Fraction(-13, 4)),
        (r"6.72\times 10^{-5}", Fraction(672, 10**7)),
        (r"\frac72", Fraction(7, 2)),
        (r"-\frac{7}{2}", Fraction(-7, 2)),
        ("7/2", Fraction(7, 2)),
        (r"3\frac12", Fraction(7, 2)),
        ("137 1/2", Fraction(275, 2)),
        (r"-2\frac{1}{2}", Fraction(-5, 2)),
        (r"2\frac{3}{2}", None),
        (r"\frac{5}{0}", None),
        ("1,00", None),
        ("1 2", None),
        ("2+2", None),
        ("", None),
        ("-", None),
        (r"10^{10^{10}}", None),
    ],
)
def test_number_of(text: str, number: int | Fraction | None) -> None:
    assert number_of(text) == number


def verdict(gold: str, found: str, prompt: str = "") -> object:
    return known_without_algebra(Claim(gold, found, prompt))


@settings(max_examples=60)
@given(st.integers(-(10**6), 10**6), st.integers(1, 10**4), st.integers(2, 40))
def test_rewritten_fractions_are_equal_and_their_neighbours_are_not(above: int, below: int, factor: int) -> None:
    value = Fraction(above, below)
    gold = rf"\frac{{{above}}}{{{below}}}"
    forms = [
        rf"\dfrac{{{above * factor}}}{{{below * factor}}}",
        f"${above}/{below}$.",
        rf"x = \tfrac{{{above}}}{{{below}}} \text{{ cm}}",
        rf"{'-' * (value < 0)}\frac{{{abs(above)}}}{{{below}}}\,",
    ]
    whole, rest = divmod(abs(value.numerator), value.denominator)
    if whole and rest:
        sign = "-" * (value < 0)
        forms += [
            rf"{sign}{whole}\frac{{{rest}}}{{{value.denominator}}}",
            f"{sign}{whole} {rest}/{value.denominator}",
        ]
    assert [verdict(gold, form) for form in forms] == [outcome(True)] * len(forms)
    assert verdict(gold, rf"\frac{{{above + 1}}}{{{below}}}") == outcome(False)
    assert verdict(gold, f"{above}/{below + 1}") == outcome(above == 0)


@settings(max_examples=60)
@given(st.integers(-(10**9), 10**9), st.integers(0, 9))
def test_rewritten_decimals_are_equal_and_their_neighbours_are_not(digits: int, places: int) -> None:
    value = Fraction(digits, 10**places)
    gold = f"{digits / 10**places:.{places}f}" if places else f"{digits:,}"
    forms = [f"{gold}{'0' * bool(places)}", rf"\${gold}", rf"{digits}\times 10^{{-{places}}}", f"{gold} dollars"]
    assert number_of(plain(gold)) == value
    assert [verdict(gold, form) for form in forms] == [outcome(True)] * len(forms)
    assert verdict(gold, rf"{digits + 1}\times 10^{{-{places}}}") == outcome(False)


@given(st.integers(1, 10**6))
def test_a_percent_sign_is_a_unit_only_where_the_question_asks_for_one(number: int) -> None:
    for sign in (r"\%", "%", r"\text{ percent}"):
        assert verdict(str(number), f"{number}{sign}", "What percent of the marbles is red?") == outcome(True)
        assert verdict(f"{number}{sign}", str(number), "Express it as a percentage.") == outcome(True)
        assert verdict(str(number), f"{number}{sign}", "How many marbles are red?") == outcome(False)
        assert verdict(rf"\frac{{{number}}}{{100}}", f"{number}{sign}", "How likely is it?") == outcome(True)
        assert verdict(rf"{number}\%", f"{number + 1}{sign}", "What percent?") == outcome(False)


@given(st.integers(2, 9), st.integers(2, 9), st.integers(1, 10**5))
def test_a_base_is_a_part_of_the_answer(base: int, other: int, digits: int) -> None:
    assert verdict(f"{digits}_{base}", f"{digits}_{{{other}}}") == outcome(base == other)
    assert verdict(f"{digits}_{{{base}}}", str(digits)) == outcome(True)
    assert verdict(str(digits), f"{digits}_{base}") == outcome(False)
