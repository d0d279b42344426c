"""TF-IDF cosine similarity, the same to the last bit as scikit-learn's defaults, without the N x N matrix.

idf(t) = ln((1 + N) / (1 + df(t))) + 1, weights = count * idf, rows of length 1: TfidfVectorizer() followed by
cosine_similarity(), in float64.
"""

from dataclasses import dataclass

import numpy as np

from star1.dedup.corpus import Bits, Corpus, Floats, Numbers, Words


@dataclass(frozen=True)
class Vectors:
    """TF-IDF vectors of length 1, row by row: terms and weights (see `count_terms`), prefixes (see `rare_prefixes`).

    `signs` are their signatures; `rarity` is each term's place in the order of the terms, the rarest first.
    """

    row_starts: Numbers
    terms: Words
    weights: Floats
    rarity: Words
    prefix_starts: Numbers
    prefix_entries: Numbers
    prefix_rests: Floats
    signs: Bits
    threshold: float


def fit(corpus: Corpus, documents: Numbers, threshold: float) -> Vectors:
    """Weigh `documents` by their own document frequencies, ready to find cosines >= `threshold` (above 0, up to 1)."""
    from star1.dedup.tfidf_kernels import count_terms, rare_prefixes, signatures, weigh

    if not 0 < threshold <= 1:
        raise ValueError(f"the TF-IDF threshold must lie in (0, 1], not be {threshold}")
    row_starts, terms, weights, n_terms = count_terms(
        corpus.starts, corpus.words, corpus.word_starts, corpus.word_terms, corpus.n_terms, documents
    )
    frequency = np.bincount(terms, minlength=n_terms)
    idf = np.log((len(documents) + 1.0) / (frequency + 1.0)) + 1.0
    weigh(row_starts, terms, weights, idf)
    rarity = np.empty(n_terms, dtype=np.int32)
    rarity[np.argsort(frequency, kind="stable")] = np.arange(n_terms, dtype=np.int32)
    # 1e-6 below the threshold: above any rounding error in the lengths of the rests.
    prefixes = rare_prefixes(row_starts, terms, weights, rarity, threshold - 1e-6)
    signs = signatures(row_starts, terms, rarity)
    return Vectors(row_starts, terms, weights, rarity, *prefixes, signs=signs, threshold=threshold)


def matches(vectors: Vectors, rows: Numbers, against: Numbers) -> tuple[Numbers, Floats]:
    """Find, for each of `rows`, the most similar of the rows `against`.

    Returns (found, cosines): the row with the largest cosine that reaches the threshold, the first of equals, or -1.
    """
    return _find(vectors, rows, against, grow=False)


def self_matches(vectors: Vectors, fixed: int = 0) -> tuple[Numbers, Floats]:
    """Find, for each row, the most similar earlier row that was itself kept; returns as `matches` does.

    The first `fixed` rows are kept whatever they are like.
    """
    rows = np.arange(fixed, len(vectors.row_starts) - 1)
    found, cosines = _find(vectors, rows, np.arange(fixed), grow=True)
    return np.concatenate([np.full(fixed, -1), found]), np.concatenate([np.zeros(fixed), cosines])


def _find(vectors: Vectors, rows: Numbers, against: Numbers, grow: bool) -> tuple[Numbers, Floats]:
    from star1.dedup.tfidf_kernels import find_similar

    found, cosines = np.full(len(rows), -1, dtype=np.int64), np.zeros(len(rows))
    find_similar(
        vectors.row_starts,
        vectors.terms,
        vectors.weights,
        vectors.rarity,
        vectors.prefix_starts,
        vectors.prefix_entries,
        vectors.prefix_rests,
        vectors.signs,
        against,
        rows,
        grow,
        vectors.threshold,
        found,
        cosines,
    )
    return found, cosines
