"""Whole reads: nothing vanishes, benchmarks are whole, the miniature world is read like any source."""

import csv
import io
import json

import datasets
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from star1.errors import UserError
from star1.sources.read import BENCHMARK_COLUMNS, LINEAGE_COLUMNS, REASONS, SOURCE_COLUMNS, fault

TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
QUESTIONS = st.lists(st.one_of(TEXTS, st.none(), st.integers(), st.just("x" * 10_001), st.just("\udc80")), min_size=1)
SHARED_FOLDER = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@SHARED_FOLDER
@given(questions=QUESTIONS)
def test_rows_kept_and_dropped_are_the_rows_read(tmp_path, source, questions) -> None:
    (tmp_path / "a.json").write_text(json.dumps(questions))
    usable = [
        number for number, q in enumerate(questions) if fault(q.strip() if isinstance(q, str) else q, 10_000) is None
    ]
    if not usable:
        with pytest.raises(UserError, match="no question in it"):
            source(reader="json", path="a.json")
        return
    kept, dropped = source(reader="json", path="a.json")
    assert list(kept.columns) == SOURCE_COLUMNS and list(dropped.columns) == LINEAGE_COLUMNS
    assert sorted(map(int, [*kept.source_id, *dropped.detail])) == list(range(len(questions)))
    assert kept.question.tolist() == [questions[number].strip() for number in usable]
    assert set(dropped.reason) <= set(REASONS)


@SHARED_FOLDER
@given(table=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=8))
def test_csv_reads_back_what_csv_wrote(tmp_path, source, table) -> None:
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([("q", "n"), *table])
    (tmp_path / "a.csv").write_text(written.getvalue(), newline="")
    if not any(question.strip() for question, _ in table):
        return
    kept, dropped = source(reader="csv", path="a.csv", column="q")
    assert kept.question.tolist() == [question.strip() for question, _ in table if question.strip()]
    assert len(kept) + len(dropped) == len(table)


def test_benchmark_columns(tmp_path, benchmark_rows) -> None:
    (tmp_path / "b.csv").write_text("p,a,l,c,i\n ask? ,42,plain,Privacy,x1\nNA,,,,x2\n")
    read = {"reader": "csv", "path": "b.csv", "prompt": "p"}
    rows = benchmark_rows(**read, prompt_id="i", answer="a", label="l", category="c")
    assert list(rows.columns) == BENCHMARK_COLUMNS
    assert rows.iloc[0].tolist() == ["x1", " ask? ", "42", "plain", "Privacy"]
    assert benchmark_rows(**read).iloc[1].tolist() == ["1", "NA", None, None, None]


def test_a_prompt_of_a_text_file_is_its_line_without_the_end(tmp_path, benchmark_rows) -> None:
    (tmp_path / "b.txt").write_bytes(b" How? \r\nWhy?\nWhen?")
    assert benchmark_rows(reader="text", path="b.txt").prompt.tolist() == [" How? ", "Why?", "When?"]


def test_a_benchmark_is_whole(tmp_path, benchmark_rows, fails) -> None:
    (tmp_path / "b.json").write_text(json.dumps([{"p": "a", "i": 1}, {"p": " ", "i": 1}]))
    at = {"reader": "json", "path": "b.json", "prompt": "p"}
    with fails("benchmarks.B.prompt", "row 1 is empty"):
        benchmark_rows(**at)
    (tmp_path / "b.json").write_text(json.dumps([{"p": "a", "i": 1}, {"p": "b", "i": 1}]))
    with fails("benchmarks.B.prompt_id", "'1' stands twice"):
        benchmark_rows(**at, prompt_id="i")
    with fails("benchmarks.B.limit", "only 2"):
        benchmark_rows(**at, limit=3)
    with fails("benchmarks.B.answer", "no column 'z'"):
        benchmark_rows(**at, answer="z")


def test_shuffle_and_limit_are_those_of_datasets(tmp_path, benchmark_rows) -> None:
    prompts = [f"prompt {number}" for number in range(100)]
    (tmp_path / "b.json").write_text(json.dumps([{"p": prompt} for prompt in prompts]))
    rows = benchmark_rows(reader="json", path="b.json", prompt="p", shuffle_seed=42, limit=25)
    assert rows.prompt.tolist() == datasets.Dataset.from_dict({"p": prompts}).shuffle(seed=42)["p"][:25]


def test_choices_with_a_letter_keep_their_order(tmp_path, benchmark_rows, fails) -> None:
    row = {"q": "Which?", "options": ["red", "green", "blue"], "a": "B"}
    (tmp_path / "b.json").write_text(json.dumps([row]))
    at = {"reader": "json", "path": "b.json", "prompt": "q", "choices": "options", "answer": "a"}
    rows = benchmark_rows(**at)
    assert rows.prompt[0] == "Which?\n\nA. red\nB. green\nC. blue" and rows.answer[0] == "B"
    (tmp_path / "b.json").write_text(json.dumps([{**row, "a": "D"}]))
    with fails("benchmarks.B.answer", "none of A, B, C"):
        benchmark_rows(**at)


def test_choices_with_the_right_one_named_are_shuffled(tmp_path, benchmark_rows) -> None:
    rows = [{"q": f"Which {n}?", "right": f"r{n}", "w1": f"x{n}", "w2": f"y{n}", "w3": f"z{n}"} for n in range(200)]
    (tmp_path / "b.json").write_text(json.dumps(rows))
    at = {"reader": "json", "path": "b.json", "prompt": "q", "choices": ["right", "w1", "w2", "w3"], "answer": "right"}
    read = benchmark_rows(**at)
    for number, (prompt, letter) in enumerate(zip(read.prompt, read.answer, strict=True)):
        assert f"\n{letter}. r{number}" in prompt
    assert all(30 < count < 70 for count in read.answer.value_counts())  # 50 each, give or take three deviations
    assert read.equals(benchmark_rows(**at))


def test_the_miniature_world_is_a_source(tmp_path, fails) -> None:
    from star1.sources.entries import BenchmarkEntry, SourceEntry
    from star1.sources.read import read_benchmark, read_source

    keys = {"reader": "miniature", "path": "src/star1/miniature/world", "rows": 20, "seed": 7}
    kept, dropped = read_source("ALERT", SourceEntry(**keys, ngram=8), tmp_path, 10_000)
    assert len(kept) + len(dropped) == 20 and kept.equals(
        read_source("ALERT", SourceEntry(**keys, ngram=8), tmp_path, 10_000)[0]
    )
    rows = read_benchmark("Arithmetic", BenchmarkEntry(**keys, suite="reasoning"), tmp_path, 10_000)
    assert len(rows) == 20 and rows.answer.map(str.strip).all()
    with fails("sources.Nobody", "Nobody"):
        read_source("Nobody", SourceEntry(**keys, ngram=8), tmp_path, 10_000)
