"""What deduplication dropped and why, kept as numbers until it becomes the lineage."""

import numpy as np
import pandas as pd

from star1.dedup.corpus import Floats, Numbers

# The reasons, in the order of the steps.
EXACT_DUPLICATE = "exact duplicate"
SELF_NGRAM = "n-gram of its source"
BENCHMARK_NGRAM = "n-gram of a benchmark"
ACCEPTED_NGRAM = "n-gram of an accepted row"
BENCHMARK_TFIDF = "TF-IDF of a benchmark"
ACCEPTED_TFIDF = "TF-IDF of an accepted row"
UNION_TFIDF = "TF-IDF of an earlier row"
UNION_EMBEDDING = "embedding of an earlier row"
BENCHMARK_EMBEDDING = "embedding of a benchmark"
REASONS = (
    EXACT_DUPLICATE,
    SELF_NGRAM,
    BENCHMARK_NGRAM,
    ACCEPTED_NGRAM,
    BENCHMARK_TFIDF,
    ACCEPTED_TFIDF,
    UNION_TFIDF,
    UNION_EMBEDDING,
    BENCHMARK_EMBEDDING,
)
# Decimals of the cosines in the lineage. An embedding's cosine differs by some 1e-6 between processors, so 2 decimals
# are the same on all but one machine in a hundred; TF-IDF's differs in its last bit only.
EMBEDDING_DECIMALS = 2
TFIDF_DECIMALS = 6


class Ledger:
    """For each document, why it was dropped, which document it matched, and how closely; `KEPT` until then."""

    KEPT = -1

    def __init__(self, n_documents: int) -> None:
        self.reason = np.full(n_documents, self.KEPT, dtype=np.int8)
        self.because_of = np.full(n_documents, -1, dtype=np.int64)
        self.value = np.full(n_documents, np.nan)
        self.detail: dict[int, str] = {}

    def drop(self, reason: str, documents: Numbers, because_of: Numbers, value: Floats | None = None) -> None:
        """Drop `documents`, each for its likeness to the document at the same place in `because_of`."""
        self.reason[documents] = REASONS.index(reason)
        self.because_of[documents] = because_of
        if value is not None:
            self.value[documents] = value


def lineage(rows: pd.DataFrame, row_of: Numbers, names: pd.Series, ledger: Ledger) -> pd.DataFrame:
    """Return one line for each dropped row, in the order of `rows`.

    Args:
        rows: id and source of all rows.
        row_of: for each of the ledger's documents its row, or -1 for a benchmark's prompt. Rows that are no document
            are exact duplicates.
        names: for each document what `because_of` calls it.
        ledger: what was dropped.

    Cosines are rounded to what is the same on every machine.
    """
    document = np.full(len(rows), -1, dtype=np.int64)
    document[row_of[row_of >= 0]] = np.flatnonzero(row_of >= 0)
    dropped = np.flatnonzero((document < 0) | (ledger.reason[document] != Ledger.KEPT))
    document = document[dropped]
    duplicate = document < 0
    ids = rows["id"].iloc[dropped].reset_index(drop=True)
    values, reasons = ledger.value[document], ledger.reason[document]
    by_embedding = np.isin(reasons, [REASONS.index(UNION_EMBEDDING), REASONS.index(BENCHMARK_EMBEDDING)])
    values = np.where(by_embedding, values.round(EMBEDDING_DECIMALS), values.round(TFIDF_DECIMALS))
    matched = names.iloc[ledger.because_of[document]].reset_index(drop=True)
    # Columns stay Arrow strings throughout: half a million of Python's take 200 MB.
    return pd.DataFrame(
        {
            "id": ids,
            "source": rows["source"].iloc[dropped].reset_index(drop=True),
            "stage": "deduplicate",
            "outcome": "dropped",
            "reason": pd.Series(REASONS, dtype="str").take(np.where(duplicate, 0, reasons)).array,
            "because_of": ids.where(duplicate, matched),
            "value": np.where(duplicate, np.nan, values),
            "detail": pd.Series([ledger.detail.get(number) for number in document.tolist()], dtype="str"),
        }
    ).astype({"stage": "str", "outcome": "str"})
