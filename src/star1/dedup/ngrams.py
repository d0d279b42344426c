"""Documents that share an n-gram: n white-space words in a row, lower-cased, punctuation kept."""

import numpy as np

from star1.dedup.corpus import Corpus, Numbers


def matches(corpus: Corpus, documents: Numbers, against: Numbers, n: int) -> tuple[Numbers, Numbers]:
    """Find the documents that share an n-gram with one of `against`.

    Returns (found, found_at), one number a document, positions in `corpus.words`: the first copy among `against` of
    the document's first shared n-gram, or -1 where it shares none; and that n-gram in the document itself.
    """
    return _find(corpus, documents, against, n, grow=False)


def self_matches(corpus: Corpus, documents: Numbers, n: int) -> tuple[Numbers, Numbers]:
    """Find the documents that share an n-gram with an earlier one that was itself kept; returns as `matches` does."""
    return _find(corpus, documents, np.empty(0, dtype=np.int64), n, grow=True)


def _find(corpus: Corpus, documents: Numbers, against: Numbers, n: int, grow: bool) -> tuple[Numbers, Numbers]:
    from star1.dedup.ngram_kernels import find_shared_ngrams

    if n < 1:
        raise ValueError(f"an n-gram has at least one word, not {n}")
    found, found_at = np.full((2, len(documents)), -1, dtype=np.int64)
    find_shared_ngrams(corpus.words, corpus.starts, against, documents, n, grow, found, found_at)
    return found, found_at
