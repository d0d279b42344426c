"""Texts as word numbers: split once here, then shared by the n-gram and the TF-IDF filters."""

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

# scikit-learn's default token pattern: two word characters or more. No token holds white space, so the tokens of a
# text are those of its white-space words, and the pattern need only run over the distinct words.
TFIDF_TOKEN = re.compile(r"(?u)\b\w\w+\b")

Numbers = npt.NDArray[np.int64]
Words = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Corpus:
    """Documents as white-space words, lower-cased, punctuation kept.

    Document d is `words[starts[d]:starts[d + 1]]`, numbers into `vocabulary`. The TF-IDF terms of word w are
    `word_terms[word_starts[w]:word_starts[w + 1]]`, numbers below `n_terms`.
    """

    starts: Numbers
    words: Words
    vocabulary: list[str]
    word_starts: Numbers
    word_terms: Words
    n_terms: int

    def ngram(self, position: int, n: int) -> str:
        """Return the n words from `position` of `words` on, as text."""
        return " ".join(self.vocabulary[word] for word in self.words[position : position + n])

    def document_at(self, positions: Numbers) -> Numbers:
        """Return the documents that hold these positions of `words`."""
        return np.searchsorted(self.starts, positions, side="right") - 1


def read_corpus(texts: Iterable[str]) -> Corpus:
    """Split texts into words and number them. Each text is held only while it is split."""
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    words = array("i")
    ends = array("q", [0])
    for text in texts:
        words.extend(map(numbers.__getitem__, text.lower().split()))
        ends.append(len(words))
    vocabulary = list(numbers)
    tokens = [TFIDF_TOKEN.findall(word) for word in vocabulary]
    terms = {term: number for number, term in enumerate(dict.fromkeys(chain.from_iterable(tokens)))}
    return Corpus(
        starts=np.array(ends, dtype=np.int64),
        words=np.array(words, dtype=np.int32),
        vocabulary=vocabulary,
        word_starts=np.cumsum([0, *map(len, tokens)], dtype=np.int64),
        word_terms=np.fromiter((terms[token] for token in chain.from_iterable(tokens)), dtype=np.int32),
        n_terms=len(terms),
    )
