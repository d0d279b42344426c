"""The paper's deduplication, step by step, and the lineage of every row that it drops.

Exact duplicates go first. Then, source by source in their order, rows that share an n-gram with an earlier row of their
source, an 8-gram with a benchmark or an accepted row, or that come near either in TF-IDF. Then, over all that is left,
rows near an earlier one in TF-IDF or in sentence embedding, and rows near a benchmark in sentence embedding. At each
step the first row stays, and a row goes only for being too like one that was itself kept there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
from tqdm import tqdm

from star1.dedup import embeddings, encoder, ledger, ngrams, tfidf
from star1.dedup.corpus import Corpus, Numbers, read_corpus
from star1.dedup.ledger import Ledger
from star1.errors import UserError

Encode = Callable[[Sequence[str]], encoder.Embeddings]


class Settings(Protocol):
    """What `deduplicate` needs to know beyond its rows; the paper's values in brackets."""

    @property
    def benchmark_ngram(self) -> int:
        """n of the n-grams shared with benchmarks and accepted rows (8)."""

    @property
    def tfidf_threshold(self) -> float:
        """TF-IDF cosine from which a row goes (0.6)."""

    @property
    def embedding_threshold(self) -> float:
        """Embedding cosine from which a row goes (0.7)."""

    @property
    def embedding_model(self) -> str:
        """What `encoder.encode` takes (all-MiniLM-L6-v2)."""


def deduplicate(
    rows: pd.DataFrame,
    benchmarks: pd.DataFrame,
    ngram: Mapping[str, int],
    settings: Settings,
    encode: Encode | None = None,
    published: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the kept rows and the lineage of the dropped ones, each in the order of the input.

    Args:
        rows: id, question, source. Sources count in the order of their first rows.
        benchmarks: benchmark, prompt_id, prompt: what no row may resemble.
        ngram: for each source, the n of the n-grams that its rows may not share among themselves.
        settings: thresholds, and the model that embeds.
        encode: texts to unit vectors [texts, dimensions] in float32, in place of that model.
        published: id and question of rows that were accepted before all others; none of them is dropped.

    The lineage has one line a dropped row: id, source, stage, outcome, reason (one of `ledger.REASONS`), because_of,
    value, detail. `because_of` is the id of the row that it matched, or "BENCHMARK:prompt_id": of several the most
    similar one, for n-grams the first; benchmarks are asked before accepted rows. `value` is the cosine, `detail` the
    shared n-gram. A later step may drop the row that `because_of` names: followed on, the ids end at a kept row or at
    a benchmark. An exact duplicate names its own id, which is the first one's too.

    Raises:
        UserError: a source without its n.
    """
    missing = [source for source in rows["source"].drop_duplicates() if source not in ngram]
    if missing:
        raise UserError(f"deduplicate: no n-gram length for {', '.join(missing)}; give each source its n")
    if published is None:
        published = pd.DataFrame(columns=["id", "question"], dtype=object)
    published = published.drop_duplicates("id")
    # Documents are the benchmarks' prompts, the published rows, then the rows that are not exact duplicates.
    repeated = rows["id"].duplicated() | rows["id"].isin(published["id"])
    unique = np.flatnonzero(~repeated.to_numpy(dtype=bool))
    row_of = np.concatenate([np.full(len(benchmarks) + len(published), -1), unique])
    dropped = Ledger(len(row_of))

    prompts, before = benchmarks["prompt"], published["question"]
    left = _drop_by_words(rows.iloc[unique], prompts, before, ngram, settings, dropped)
    if len(left):
        encode = encode or (lambda texts: encoder.encode(texts, settings.embedding_model))
        texts = rows["question"].iloc[row_of[left]].tolist()
        left = _drop_by_embeddings(left, texts, prompts.tolist(), before.tolist(), encode, settings, dropped)

    kept = rows.iloc[np.sort(row_of[left])][["id", "question", "source"]].reset_index(drop=True)
    prompt_names = benchmarks["benchmark"].astype("str") + ":" + benchmarks["prompt_id"].astype("str")
    names = pd.concat([prompt_names, published["id"].astype("str"), rows["id"].iloc[unique].astype("str")])
    return kept, ledger.lineage(rows, row_of, names, dropped)


def _drop_by_words(
    rows: pd.DataFrame,
    prompts: pd.Series,
    published: pd.Series,
    ngram: Mapping[str, int],
    settings: Settings,
    dropped: Ledger,
) -> Numbers:
    """Run the n-gram and the TF-IDF steps; return the documents of rows that pass, by source, then row."""
    corpus = read_corpus(_texts(prompts, published, rows["question"]))
    source_of, sources = pd.factorize(rows["source"])
    prompt_documents = np.arange(len(prompts))
    accepted = np.arange(len(prompts), len(prompts) + len(published))
    for code, source in enumerate(tqdm(sources, desc="deduplicate by source", disable=None)):
        new = len(prompts) + len(published) + np.flatnonzero(source_of == code)
        n = ngram[source]
        new = _drop_ngrams(corpus, dropped, ledger.SELF_NGRAM, new, n, ngrams.self_matches(corpus, new, n))
        n = settings.benchmark_ngram
        for reason, against in ((ledger.BENCHMARK_NGRAM, prompt_documents), (ledger.ACCEPTED_NGRAM, accepted)):
            new = _drop_ngrams(corpus, dropped, reason, new, n, ngrams.matches(corpus, new, against, n))

        documents = np.concatenate([prompt_documents, accepted, new])
        vectors = tfidf.fit(corpus, documents, settings.tfidf_threshold)
        first_accepted, first_new = len(prompts), len(prompts) + len(accepted)
        places = np.arange(len(documents))
        queries = places[first_new:]
        for reason, against in (
            (ledger.BENCHMARK_TFIDF, places[:first_accepted]),
            (ledger.ACCEPTED_TFIDF, places[first_accepted:first_new]),
        ):
            found, cosines = tfidf.matches(vectors, queries, against)
            hit = found >= 0
            dropped.drop(reason, documents[queries[hit]], documents[found[hit]], cosines[hit])
            queries = queries[~hit]
        accepted = np.concatenate([accepted, documents[queries]])

    found, cosines = tfidf.self_matches(tfidf.fit(corpus, accepted, settings.tfidf_threshold), len(published))
    hit = found >= 0
    dropped.drop(ledger.UNION_TFIDF, accepted[hit], accepted[found[hit]], cosines[hit])
    return accepted[~hit][len(published) :]


def _drop_by_embeddings(
    documents: Numbers,
    texts: list[str],
    prompts: list[str],
    published: list[str],
    encode: Encode,
    settings: Settings,
    dropped: Ledger,
) -> Numbers:
    """Run the embedding steps; return the documents that pass."""
    vectors = encode([*published, *texts])
    found, cosines = embeddings.self_matches(vectors, settings.embedding_threshold, len(published))
    all_documents = np.concatenate([len(prompts) + np.arange(len(published)), documents])
    found, cosines = found[len(published) :], cosines[len(published) :]
    alike = found >= 0
    dropped.drop(ledger.UNION_EMBEDDING, documents[alike], all_documents[found[alike]], cosines[alike])
    if not prompts:
        return documents[~alike]
    found, cosines = embeddings.matches(vectors[len(published) :], encode(prompts), settings.embedding_threshold)
    hit = (found >= 0) & ~alike
    # The prompts are the first documents, so a prompt's number is its document.
    dropped.drop(ledger.BENCHMARK_EMBEDDING, documents[hit], found[hit], cosines[hit])
    return documents[~(alike | hit)]


def _drop_ngrams(
    corpus: Corpus, dropped: Ledger, reason: str, documents: Numbers, n: int, matched: tuple[Numbers, Numbers]
) -> Numbers:
    """Drop the documents that `matched` (see `ngrams.matches`) says share an n-gram, and return the others."""
    found, found_at = matched
    hit = found >= 0
    dropped.drop(reason, documents[hit], corpus.document_at(found[hit]))
    for document, position in zip(documents[hit].tolist(), found_at[hit].tolist(), strict=True):
        dropped.detail[document] = corpus.ngram(position, n)
    return documents[~hit]


def _texts(*columns: pd.Series) -> Iterator[str]:
    """Yield columns of text one after the other, holding 10,000 at a time as Python strings."""
    for column in columns:
        for begin in range(0, len(column), 10_000):
            yield from column.iloc[begin : begin + 10_000].tolist()
