"""One new question against the kept rows and the benchmarks: shared n-grams and TF-IDF cosines, in plain numpy.

The filters of `star1.dedup` answer the same for whole pools, in compiled loops; loading and perhaps compiling these
takes longer than a single question may.
"""

from dataclasses import dataclass

import numpy as np

from star1.dedup import ledger
from star1.dedup.corpus import Corpus, Floats, read_corpus
from star1.dedup.steps import Settings


@dataclass(frozen=True)
class Text:
    """A prompt or a kept row, and what to call it."""

    name: str
    question: str


@dataclass(frozen=True)
class Match:
    """A text that the new one is like: the reason that `deduplicate` would give, the cosine or the shared n-gram."""

    text: Text
    reason: str
    value: float | None = None
    detail: str | None = None


def compare(
    question: str, prompts: list[Text], kept: list[Text], settings: Settings
) -> tuple[Match | None, list[Match]]:
    """Return the kept row nearest to a new question, and what would drop it, in the order of the steps.

    The question is looked at as `deduplicate` looks at the last row, if that is all of its source and the rows accepted
    before it are those kept in the end. The nearest row is None if none shares a word; its reason is empty.
    """
    texts = [*prompts, *kept]
    corpus = read_corpus([*(text.question for text in texts), question])
    cosines = tfidf_cosines(corpus)
    groups = ((0, len(prompts)), (len(prompts), len(texts)))

    def nearest(begin: int, end: int, reason: str) -> list[Match]:
        if begin == end:
            return []
        place = begin + int(np.argmax(cosines[begin:end]))
        return [Match(texts[place], reason, float(cosines[place]))]

    matches = []
    for reason, group in zip((ledger.BENCHMARK_NGRAM, ledger.ACCEPTED_NGRAM), groups, strict=True):
        if shared := shared_ngram(corpus, *group, settings.benchmark_ngram):
            matches.append(Match(texts[shared[0]], reason, detail=shared[1]))
    for reason, group in zip((ledger.BENCHMARK_TFIDF, ledger.ACCEPTED_TFIDF), groups, strict=True):
        matches += [match for match in nearest(*group, reason) if (match.value or 0) >= settings.tfidf_threshold]
    near = nearest(*groups[1], "")
    return (near[0] if near and near[0].value else None), matches


def shared_ngram(corpus: Corpus, first: int, end: int, n: int) -> tuple[int, str] | None:
    """Return the first of the documents first..end-1 that holds the last document's first shared n-gram, and that one.

    None if they share none; the choice is that of `dedup.ngrams.matches`.
    """
    offset = corpus.starts[first]
    words = corpus.words[offset : corpus.starts[end]]
    asked = corpus.words[corpus.starts[-2] :]
    for position in range(len(asked) - n + 1):
        found = np.flatnonzero(words[: max(len(words) - n + 1, 0)] == asked[position])
        for step in range(1, n):
            found = found[words[found + step] == asked[position + step]]
        document = corpus.document_at(found + offset)
        inside = document == corpus.document_at(found + offset + n - 1)  # not across the end of a document
        if inside.any():
            return int(document[inside][0]), corpus.ngram(int(corpus.starts[-2]) + position, n)
    return None


def tfidf_cosines(corpus: Corpus) -> Floats:
    """Return the last document's TF-IDF cosine with each of the others, weighed as `dedup.tfidf` does."""
    documents = len(corpus.starts) - 1
    per_word = np.diff(corpus.word_starts)[corpus.words]  # terms of each word of the corpus
    ends = np.cumsum(per_word)
    word = np.repeat(np.arange(len(corpus.words)), per_word)
    within = np.arange(len(word)) - np.repeat(ends - per_word, per_word)
    term = corpus.word_terms[corpus.word_starts[corpus.words[word]] + within].astype(np.int64)
    pairs, counts = np.unique(corpus.document_at(word) * max(corpus.n_terms, 1) + term, return_counts=True)
    document, term = np.divmod(pairs, max(corpus.n_terms, 1))
    frequency = np.bincount(term, minlength=corpus.n_terms)
    weights = counts * (np.log((documents + 1.0) / (frequency[term] + 1.0)) + 1.0)
    lengths = np.sqrt(np.bincount(document, weights**2, minlength=documents))
    asked = np.zeros(corpus.n_terms)
    last = document == documents - 1
    asked[term[last]] = weights[last]
    products = np.bincount(document, weights * asked[term], minlength=documents)
    norms = lengths * lengths[-1]
    return np.divide(products, norms, out=np.zeros(documents), where=norms > 0)[:-1]
