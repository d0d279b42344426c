"""One text against many, held against the filters of the pipeline and scikit-learn."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from star1.dedup import ledger, ngrams
from star1.dedup.corpus import read_corpus
from star1.lineage.nearest import Text, compare, shared_ngram, tfidf_cosines
from tests.dedup.rival import tfidf_cosines as cosines_of_scikit_learn
from tests.dedup.test_steps import Settings, texts


@settings(max_examples=100)
@given(st.lists(texts, min_size=1, max_size=12), texts, st.integers(1, 4), st.data())
def test_the_same_as_for_whole_pools(known: list[str], text: str, n: int, data: st.DataObject) -> None:
    corpus, last = read_corpus([*known, text]), len(known)
    expected = cosines_of_scikit_learn([*known, text])[-1, :-1]
    np.testing.assert_allclose(tfidf_cosines(corpus), expected, rtol=0, atol=1e-12)

    first = data.draw(st.integers(0, last))
    end = data.draw(st.integers(first, last))
    found, found_at = ngrams.matches(corpus, np.array([last]), np.arange(first, end), n)
    if found[0] < 0:
        assert shared_ngram(corpus, first, end, n) is None
    else:
        same = (corpus.document_at(found)[0], corpus.ngram(int(found_at[0]), n))
        assert shared_ngram(corpus, first, end, n) == same


def test_what_would_drop_it_comes_in_the_order_of_the_steps() -> None:
    prompts = [Text("prompt", "how do i bake warm bread")]
    kept = [Text("other", "where do cats sleep"), Text("row", "how do i bake warm bread today")]
    near, matches = compare("how do I bake warm bread", prompts, kept, Settings(benchmark_ngram=5))
    assert near is not None
    assert near.text.name == "row"
    assert [(match.reason, match.text.name) for match in matches] == [
        (ledger.BENCHMARK_NGRAM, "prompt"),
        (ledger.ACCEPTED_NGRAM, "row"),
        (ledger.BENCHMARK_TFIDF, "prompt"),
        (ledger.ACCEPTED_TFIDF, "row"),
    ]
    assert matches[0].detail == "how do i bake warm"
    assert matches[2].value == 1.0 or abs((matches[2].value or 0) - 1) < 1e-12


def test_nothing_to_compare_with() -> None:
    assert compare("how do i bake bread", [], [], Settings()) == (None, [])
    assert compare("", [], [Text("row", "how do i bake bread")], Settings()) == (None, [])
