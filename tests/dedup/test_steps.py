"""Deduplication against the plain rival: the same rows dropped, for the same reasons, because of the same rows."""

import os
import subprocess
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star1.dedup.ledger import EXACT_DUPLICATE
from star1.dedup.steps import deduplicate
from star1.errors import UserError
from star1.text import question_id
from tests.dedup import rival

# Few words, so that random texts collide: some without a TF-IDF token, some with two, some that lower-casing, NFKC or
# the word pattern treat in their own way.
PLAIN_WORDS = "how do bake bread warm tea Tea TEA a I ! !! _ don't well-known x1"
STRANGE_WORDS = "na\u00efve nai\u0308ve \u0130stanbul \u039f\u0394\u039f\u03a3 \ufb01ne \u6771\u4eac \u00a0 \x1f"
WORDS = [*PLAIN_WORDS.split(" "), *STRANGE_WORDS.split(" "), ""]
SOURCES = {"first": 3, "second": 2, "third": 5}


@dataclass
class Settings:
    benchmark_ngram: int = 3
    tfidf_threshold: float = 0.6
    embedding_threshold: float = 0.7
    embedding_model: str = "none"


def encode(texts: Sequence[str]) -> np.ndarray:
    """Embed a text as the sum of a random vector a word."""
    vectors = np.ones((len(texts), 24))
    for row, text in enumerate(texts):
        for word in text.split():
            vectors[row] += np.random.default_rng(zlib.crc32(word.encode())).normal(size=24)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def frame(questions: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Return rows from (source, question), sources together."""
    rows = [(question_id(question), question, source) for source, question in questions]
    order = sorted(range(len(rows)), key=lambda row: list(SOURCES).index(rows[row][2]))
    return pd.DataFrame([rows[row] for row in order], columns=["id", "question", "source"], dtype="str")


def prompts(texts: Sequence[str]) -> pd.DataFrame:
    rows = [("Held" if number % 2 else "Out", str(number), text) for number, text in enumerate(texts)]
    return pd.DataFrame(rows, columns=["benchmark", "prompt_id", "prompt"], dtype="str")


def assert_equal_to_rival(rows: pd.DataFrame, benchmarks: pd.DataFrame, options: Settings) -> None:
    kept, lineage = deduplicate(rows, benchmarks, SOURCES, options, encode)
    numbers, dropped = rival.deduplicate(rows, benchmarks, SOURCES, options, encode)
    pd.testing.assert_frame_equal(kept, rows.iloc[numbers].reset_index(drop=True))
    assert lineage["id"].tolist() == [rows["id"].iloc[row] for row in sorted(dropped)]
    assert lineage["source"].tolist() == [rows["source"].iloc[row] for row in sorted(dropped)]
    for ours, row in zip(lineage.itertuples(index=False), sorted(dropped), strict=True):
        reason, because_of, value, detail = dropped[row]
        assert ours.reason == reason
        if not reason.startswith("embedding"):  # where rounding may choose between two that are equally near
            assert ours.because_of == because_of
        assert (ours.detail if isinstance(ours.detail, str) else None) == detail
        if reason.startswith("TF-IDF"):
            assert ours.value == np.round(value, 6)
        elif value is not None:
            assert ours.value == pytest.approx(value, abs=0.005 + 1e-6)
        else:
            assert np.isnan(ours.value)


texts = st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join)
options = st.builds(
    Settings,
    benchmark_ngram=st.integers(1, 4) | st.just(1000),
    tfidf_threshold=st.sampled_from([1e-7, 0.05, 0.5, 0.6, 0.75, 1.0]),
    embedding_threshold=st.sampled_from([1e-7, 0.05, 0.7, 0.9]),
)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(list(SOURCES)), texts), max_size=40), st.lists(texts, max_size=8), options)
def test_decisions_and_reasons_are_those_of_the_rival(
    questions: list[tuple[str, str]], benchmark: list[str], chosen: Settings
) -> None:
    assert_equal_to_rival(frame(questions), prompts(benchmark), chosen)


def test_ties_at_the_threshold_fall_as_with_scikit_learn() -> None:
    """Two rows that share k of m equally rare terms have a cosine of k / m, but for rounding either way."""
    outcomes = set()
    for shared, terms, others in product((1, 2, 3, 5, 9), (5, 6, 7, 10, 15), range(4)):
        if shared >= terms:
            continue
        both = [f"w{t}" for t in range(shared)]
        one, two = ([f"{letter}{t}" for t in range(terms - shared)] for letter in "xy")
        texts = [
            [*both, *one],
            [*two, *both[::-1]],
            # So that every term stands in two rows. These rows are long, and like none of the pair.
            [*one[::-1], *(f"p{t}" for t in range(40))],
            [*two[::-1], *(f"q{t}" for t in range(40))],
            *([f"z{t}"] for t in range(others)),
        ]
        cosine = rival.tfidf_cosines([" ".join(words) for words in texts])[0, 1]
        assert cosine == pytest.approx(shared / terms, abs=1e-12)
        outcomes.add(bool(cosine >= shared / terms))
        rows = frame([("third", " ".join(words)) for words in texts])
        assert_equal_to_rival(rows, prompts([]), Settings(tfidf_threshold=shared / terms))
    assert outcomes == {True, False}


def test_a_larger_pool() -> None:
    """Enough rows that chains form: a row dropped for one that is itself dropped later."""
    rng = np.random.default_rng(5)
    words = [f"word{number}" for number in range(120)]
    made: list[tuple[str, str]] = []
    for source in SOURCES:
        for _ in range(120):
            if made and rng.random() < 0.6:
                text = made[rng.integers(len(made))][1].split()
                text[rng.integers(len(text))] = words[rng.integers(120)]
            else:
                text = [words[number] for number in rng.zipf(1.3, size=rng.integers(5, 12)) % 120]
            made.append((source, " ".join(text)))
    rows, benchmarks = frame(made), prompts([text for _, text in made[::40]])
    assert_equal_to_rival(rows, benchmarks, Settings(benchmark_ngram=5))

    kept, lineage = deduplicate(rows, benchmarks, SOURCES, Settings(benchmark_ngram=5), encode)
    assert len(set(lineage["reason"])) >= 7
    # No row vanishes, and whoever follows `because_of` ends at a kept row or a benchmark.
    assert len(kept) + len(lineage) == len(rows)
    assert set(kept["id"]) | set(lineage["id"]) == set(rows["id"])
    first = lineage[lineage["reason"] != EXACT_DUPLICATE]
    next_of = dict(zip(first["id"], first["because_of"], strict=True))
    ends = set(kept["id"]) | set(benchmarks["benchmark"] + ":" + benchmarks["prompt_id"])
    assert not set(next_of) & ends
    for because_of in lineage["because_of"]:
        while because_of in next_of:
            because_of = next_of[because_of]
        assert because_of in ends


def test_sources_count_in_the_order_of_the_rows() -> None:
    same = "how do i bake warm bread today"
    rows = frame([("first", same + " please"), ("second", same + " quickly")])
    kept, _ = deduplicate(rows, prompts([]), SOURCES, Settings(), encode)
    assert kept["source"].tolist() == ["first"]
    kept, _ = deduplicate(rows[::-1], prompts([]), SOURCES, Settings(), encode)
    assert kept["source"].tolist() == ["second"]


def test_nothing_in_nothing_out() -> None:
    kept, lineage = deduplicate(frame([]), prompts([]), SOURCES, Settings(), encode)
    assert len(kept) == len(lineage) == 0
    assert list(lineage) == ["id", "source", "stage", "outcome", "reason", "because_of", "value", "detail"]


@pytest.mark.parametrize("question", ["!!! ???", " ", "word " * 50_000])
def test_a_single_row_stays(question: str) -> None:
    for published in (None, frame([]), frame([("first", "how do i bake bread")])):
        kept, lineage = deduplicate(
            frame([("first", question)]), prompts([]), SOURCES, Settings(), encode, published=published
        )
        assert kept["question"].tolist() == [question] and lineage.empty


def test_a_source_without_n_is_the_users_error() -> None:
    with pytest.raises(UserError, match="second"):
        deduplicate(frame([("second", "how do i bake bread")]), prompts([]), {"first": 8}, Settings(), encode)


def test_the_result_depends_on_neither_threads_nor_hash_seed() -> None:
    import torch

    program = "from tests.dedup.test_steps import some_result; print(some_result())"
    threads = "1" if torch.get_num_threads() > 1 else "2"
    environment = os.environ | {"OMP_NUM_THREADS": threads, "PYTHONHASHSEED": "7"}
    elsewhere = subprocess.run(
        [sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True
    )
    assert elsewhere.stdout == some_result() + "\n"


def some_result() -> str:
    questions = [
        (source, f"how do i bake {a} bread with {b} tea {a * b}")
        for source in SOURCES
        for a in range(12)
        for b in range(12)
    ]
    kept, lineage = deduplicate(
        frame(questions), prompts(["bake 7 bread"]), SOURCES, Settings(benchmark_ngram=4), encode
    )
    return str(kept.to_json()) + str(lineage.to_json())


def test_importing_loads_nothing_heavy() -> None:
    program = "import sys, star1.dedup.steps; print(*{'torch', 'numba', 'transformers', 'sklearn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "\n"
