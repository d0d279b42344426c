"""The four outputs of a difference: a terminal's lines, a comment, a page and JSON, hostile text included."""

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from star1.lineage.diff import Diff, Table
from star1.lineage.diff_markdown import code, markdown
from star1.lineage.diff_page import SHOWN, page
from star1.lineage.diff_text import WIDTH, fit, text
from star1.lineage.digest import param
from star1.lineage.states import Missing
from star1.lineage.tables import TableDiff
from star1.report.display import MINUS, NOTHING

HOSTILE = "<script>alert(1)</script> \x1b[2J\u202eevil\n| `@all` ![](http://x) {{ 7*7 }} " + "長い" * 300_000


def moved(added: int, removed: int, changed: int, **columns: int) -> TableDiff:
    tables = [pa.table({"id": [str(number) for number in range(count)]}) for count in (added, removed, changed)]
    return TableDiff((1000, 1000 + added - removed), *tables, columns=columns, schema=["task is new"])


def benchmark(name: str, value: float | None, half: float = 1.0) -> dict[str, Any]:
    change: dict[str, Any] = {"value": None, "low": -100.0, "high": 100.0, "n": 0}  # no prompt is in both states
    share: dict[str, Any] = {"value": None, "low": 0.0, "high": 100.0, "n": 0}
    if value is not None:
        change = {"value": value, "low": value - half, "high": value + half, "n": 100}
        share = {"value": 50.0, "low": 40.0, "high": 60.0, "n": 100}
    counts = {"prompts": 100, "only": (0, 2), "gained": 1, "lost": 2, "other": 0}
    named = {"model": name, "suite": "safety", "benchmark": name, "task": name}
    return named | counts | {"old": share, "new": share, "change": change}


def difference(content: str, count: int) -> Diff:
    """Return a difference with `count` entries a section, whose texts are `content` and whose names its beginning."""
    said = content[:120]
    row = {"id": said, "question": content, "source": said, "stage": said, "reason": said, "because_of": said}
    row |= {"because": content, "value": 0.5, "detail": content}
    replies = [{"verdict": said, "thinking": content, "answer": content, "response": content} for _ in range(2)]
    flip = {"model": said, "suite": said, "benchmark": said, "prompt_id": said, "sample": 1, "prompt": content}
    flip |= {"kind": "lost", "old": replies[0], "new": replies[1]}
    return Diff(
        said,
        "workspace",
        ("0" * 40, None),
        params=[{"name": said, "change": "changed", "old": [content], "new": [content, 1]}] * count,
        texts=[{"path": said, "change": "changed", "diff": [f"+{content}", f"-{content}"] * count}] * min(count, 3),
        tables=[
            Table("raw", f"data/raw/{number}{said}.parquet", moved(3, 2, 1, **{said: 1})) for number in range(count)
        ]
        + [Table("star1", "data/star1.parquet", moved(1, 1, 1, answer=1))],
        same=["data/cot.parquet"],
        others=[{"path": said, "change": "changed"}] * count,
        selected={"came": [row] * count, "went": [row] * count},
        benchmarks=[benchmark(said, 0.5), benchmark(said, -3.0), benchmark(said, None)] * count,
        flips=[flip] * count,
        missing=[Missing(said, said, said, f"dvc pull {said}")] * count,
        notes=[said] * count,
    )


class Tags(HTMLParser):
    """Count a page's tags and collect its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.attributes: set[str] = set()
        self.said: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes.update(name for name, _ in attributes)

    def handle_data(self, data: str) -> None:
        self.said.append(data)


@pytest.mark.parametrize("count", [1, 3, 40])
def test_hostile_text_is_text_everywhere(count: int) -> None:
    mild, hostile = difference("mild", count), difference(HOSTILE, count)
    shown, plain = Tags(page(hostile)), Tags(page(mild))
    assert {tag for tag in shown.tags if "script" in tag or tag in ("img", "a", "iframe")} == set()
    # A slash in a path may add a <wbr>, and a long text the sentence that it is cut; nothing else differs.
    assert {t: n for t, n in shown.tags.items() if t not in ("wbr", "span")} == {
        t: n for t, n in plain.tags.items() if t not in ("wbr", "span")
    }
    assert not [name for name in shown.attributes if name.startswith("on") or name in ("href", "src")]
    assert "<script>alert(1)</script> ⟨U+001B⟩[2J⟨U+202E⟩evil" in "".join(shown.said)

    for line in text(hostile):
        assert cell_len(line) <= WIDTH
        assert line.isprintable()
    assert len(list(text(hostile))) < 130
    for line in markdown(hostile):
        outside = re.sub(r"`[^`]*`", "", line)
        assert not re.search(r"[<@!\[`]", outside), line
        assert line.isprintable()


def test_the_page_of_many_flips_says_what_it_leaves_out() -> None:
    source = page(difference("How long is a fathom?\n" * 500, SHOWN + 40))
    assert source.count("<article>") == SHOWN
    assert f"{SHOWN} of {SHOWN + 40} flips are shown" in source
    assert len(source) < 6_000_000


@settings(max_examples=25)
@given(st.text(max_size=300))
def test_any_line_fits_and_any_value_stays_in_its_cell(value: str) -> None:
    assert cell_len(fit(value)) <= WIDTH
    assert fit(value).isprintable()
    assert re.fullmatch(r"`[^`\n]+`", code(value))
    assert not re.search(r"(?<!\\)\|", code(value))


def test_the_sections_lead_with_their_counts() -> None:
    lines = list(text(difference("mild", 12)))
    heads = [line for line in lines if line and not line.startswith(" ")]
    assert heads == [
        "mild → workspace",
        "Not compared: 24",
        "Params: 12 differ",
        "Policies and prompts: 3 differ",
        "Tables: 13 differ, 1 hold the same rows",
        "Questions of STAR-1: 12 came, 12 went",
        "Benchmarks: 36, on the prompts of both states; 12 changed beyond chance",
        "Verdicts: 12 flipped: 12 lost",
        "Other outputs: 12 differ",
    ]
    assert "  and 4 more" in lines
    [raw] = [line for line in lines if "data/raw/ (12 files)" in line]
    assert raw.split()[3:] == ["12,000", "→", "12,012", "+36", f"{MINUS}24", "12"]
    first = lines[lines.index(heads[6]) + 2].split()
    assert first == ["mild", "mild", "100", "50.0", "50.0", f"{MINUS}3.0", f"{MINUS}4.0", "to", f"{MINUS}2.0", "1", "2"]


def test_nothing_differs() -> None:
    nothing = Diff("one", "two", ("0" * 40, "0" * 40), [], [], selected={"came": [], "went": []})
    assert list(text(nothing)) == ["one → two", "Nothing differs."]
    assert list(markdown(nothing)) == ["### STAR-1: `one` → `two`", "", "Nothing differs."]
    assert "<p>Nothing differs.</p>" in page(nothing)


@pytest.mark.parametrize(
    "old, new, said",
    [
        (500, 1000, "500 → 1000"),
        (None, "x", "null → x"),
        (["a", "b"], ["b", "c"], f"+c, {MINUS}a"),
        (["a", "b"], ["b", "a"], "the same entries, in another order or number"),
        ("", [["a"]], '"" → [["a"]]'),
        ("500", 500, '"500" → 500'),
        (None, "null", 'null → "null"'),
        (["1"], [1], f'+1, {MINUS}"1"'),
        ("1.0", "v1.0", '"1.0" → v1.0'),
        ("[a", "true", '[a → "true"'),
    ],
)
def test_a_param_is_told_as_old_and_new(old: object, new: object, said: str) -> None:
    assert param({"name": "p", "change": "changed", "old": old, "new": new}) == said


@pytest.mark.parametrize("lines", [text, markdown])
def test_outputs_that_are_no_tables_differ_too(lines: Any) -> None:
    """A model trained anew, or the page, alone."""
    found = Diff("one", "two", ("0" * 40, None), [], [], selected={"came": [], "went": []})
    found.others = [{"path": f"models/{number}", "change": "changed"} for number in range(30)]
    said = "\n".join(lines(found))
    assert "Nothing differs" not in said
    assert "models/0" in said and "models/29" not in said and re.search(r"and \d+ more", said)


def test_long_names_leave_room_for_what_is_said_of_them() -> None:
    one, other = (f"DeepSeek-R1-Distill-Qwen-{size}-{'long' * 9}-{size}" for size in ("1.5B", "7B"))
    found = difference("mild", 1)
    found.params = [
        {"name": name, "change": "changed", "old": 500, "new": 250} for name in ("select.k", f"bases.{one}.{'x' * 50}")
    ]
    found.tables = [Table("judgements", f"data/judgements/{name}.parquet", moved(3, 2, 1)) for name in (one, other)]
    found.benchmarks = [benchmark(name, 3.0) for name in (one, other)]
    lines = list(text(found))
    assert f"  {'select.k':<60}  500 → 250" in lines
    assert sum(line.endswith("500 → 250") for line in lines) == 2
    heads = [line.rstrip() for line in lines if "1,000 → 1,001" in line or line.rstrip().endswith(" 1      2")]
    assert len(heads) == 4 and len({len(line) for line in heads}) <= 2  # columns are columns
    assert len(set(heads)) == 4  # and two models with one beginning are told apart


@pytest.mark.parametrize("lines", [text, markdown])
def test_reasons_that_are_not_shown_are_counted(lines: Any) -> None:
    found = difference("mild", 1)
    row = found.selected["went"][0]  # type: ignore[index]
    found.selected = {"came": [], "went": [row | {"reason": f"reason {number:02}"} for number in range(40)]}
    said = "\n".join(lines(found))
    shown = len(re.findall(r"\n *-? ?\u22121[ ,]", said))
    assert f"{40 - shown} more reasons" in said


@pytest.mark.parametrize("lines", [text, markdown])
def test_a_benchmark_without_common_prompts_has_no_interval(lines: Any) -> None:
    """As after a new name."""
    found = difference("mild", 1)
    found.benchmarks = [benchmark("renamed", None)]
    [line] = [line for line in lines(found) if "renamed" in line]
    assert "100.0" not in line and line.count(NOTHING) == 4 - (lines is markdown)


def test_what_could_not_be_compared_is_counted_in_a_comment() -> None:
    found = difference("mild", 1)
    found.missing = [Missing("one", f"data/{number}", f"problem {number}", "dvc pull") for number in range(40)]
    found.notes = [f"{number} " + "questions of STAR-1 are not compared " * 3 + "to the end" for number in range(40)]
    said = list(markdown(found))
    assert any(line.endswith("to the end`") for line in said)
    assert said.count("- and 25 more") == 2
