"""Deduplication against the plain way with dense matrices, and at the paper's true size.

    python benchmarks/deduplication.py                                      # all: 3 minutes, 4 GiB for the rivals
    python benchmarks/deduplication.py --sizes 2000 --encode --pools 20000  # a quick look
    python benchmarks/deduplication.py --sizes --encode --pools 528800      # all filters at the paper's size only

Each figure comes from a process of its own, on one thread: CPU seconds of the call, and its peak memory above what the
process held before (imports and input). Compiling is not counted: numba keeps its result between runs. The questions
are made up of words with natural (Zipf) frequencies. In the pool half of them are exact copies of earlier ones and 40 %
near copies; where one filter runs alone there are no exact copies.

The rivals: `dense`, the whole matrix and then the loop as the paper's authors write it; `tuned`, the same with the loop
as fast as numpy allows.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

# The paper's sources: rows before anything, n of the n-grams within the source.
SOURCES = {
    "GPTFuzz": (100, 8),
    "SimpleSafetyTests": (100, 8),
    "MaliciousInstruct": (100, 8),
    "QHarm": (100, 8),
    "TDCRedTeaming": (100, 8),
    "MaliciousInstructions": (100, 8),
    "HarmfulQ": (200, 8),
    "HExPHI": (300, 8),
    "HarmBench": (300, 8),
    "AttaQ": (1_400, 7),
    "HarmfulQA": (2_000, 7),
    "SafetyInstructions": (2_500, 7),
    "UltraSafety": (3_000, 7),
    "ALERT": (14_800, 7),
    "SaladBench": (21_300, 8),
    "PKUSafeRLHF": (36_300, 6),
    "BeaverTails": (185_000, 5),
    "wildjailbreak": (261_000, 5),
}
OPENINGS = ("how do i", "how can i", "what is the best way to", "tell me how to", "write a guide to", "list ways to")
BENCHMARK_ROWS = 2_355
ENCODED_PER_S = 430  # questions that MiniLM encodes in a CPU second: benchmarks/encoder.py


@dataclass
class Settings:
    benchmark_ngram: int = 8
    tfidf_threshold: float = 0.6
    embedding_threshold: float = 0.7
    embedding_model: str = "none"


def questions(size: int, exact: float = 0.50, near: float = 0.40, seed: int = 0) -> list[str]:
    """Make questions of 6 to 20 words; `exact` and `near` are the shares of exact and near copies of earlier ones."""
    rng = np.random.default_rng(seed)
    vocabulary = words_of_the_model()
    chance = 1 / (np.arange(len(vocabulary)) + 10.0)
    drawn = rng.choice(len(chance), size=16 * size, p=chance / chance.sum())
    kind, place = rng.random(size), 0
    made: list[str] = []
    for row in range(size):
        if row and kind[row] < exact:
            made.append(made[rng.integers(row)])
            continue
        if row and kind[row] < exact + near:
            words = made[rng.integers(row)].split()
            for position in rng.integers(len(words), size=rng.integers(1, 4)):
                words[position] = vocabulary[drawn[place]]
                place += 1
        else:
            length = rng.integers(4, 15)
            words = [vocabulary[word] for word in drawn[place : place + length]]
            words.insert(0, OPENINGS[rng.integers(len(OPENINGS))])
            place += length
        made.append(" ".join(words))
    return made


def words_of_the_model() -> list[str]:
    """Return the 20,000 or so whole words of MiniLM's vocabulary, common ones first."""
    from star1.dedup.encoder import PACKAGED_MODEL, model_folder

    tokens = (model_folder(PACKAGED_MODEL) / "vocab.txt").read_text().splitlines()
    return [token for token in tokens if token.isascii() and token.isalpha() and len(token) > 1]


def embed(texts: Sequence[str]) -> np.ndarray:
    """Stand in for the encoder: unit vectors [texts, 384] in which texts that share most words come near."""
    vectors = np.zeros((len(texts), 384), dtype=np.float32)
    words = np.random.default_rng(1).normal(size=(4096, 384)).astype(np.float32)
    for row, text in enumerate(texts):
        numbers = [zlib.crc32(word.encode()) % len(words) for word in text.split()]
        vectors[row] = words[numbers].sum(axis=0)
    vectors /= np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    return vectors


def first_wins(similarity: np.ndarray, threshold: float) -> list[int]:
    """Keep a row unless it is near one kept before, as the paper's authors write it."""
    kept = [0]
    for row in range(1, len(similarity)):
        if not np.any(similarity[np.array(kept), row] >= threshold):
            kept.append(row)
    return kept


def first_wins_tuned(similarity: np.ndarray, threshold: float) -> list[int]:
    """The same with the means of numpy: along the rows of the matrix, and no list turned into an array at each step."""
    kept = np.zeros(len(similarity), dtype=np.int64)
    count = 0
    for row in range(len(similarity)):
        if not np.any(similarity[row, kept[:count]] >= threshold):
            kept[count] = row
            count += 1
    return kept[:count].tolist()


def dense_tfidf(texts: list[str]) -> list[int]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics.pairwise import cosine_similarity

    return first_wins(cosine_similarity(TfidfVectorizer().fit_transform(texts)), 0.6)


def tuned_tfidf(texts: list[str]) -> list[int]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics.pairwise import cosine_similarity

    return first_wins_tuned(cosine_similarity(TfidfVectorizer().fit_transform(texts)), 0.6)


def our_tfidf(texts: list[str]) -> list[int]:
    from star1.dedup import tfidf
    from star1.dedup.corpus import read_corpus

    found, _ = tfidf.self_matches(tfidf.fit(read_corpus(texts), np.arange(len(texts)), 0.6))
    return np.flatnonzero(found < 0).tolist()


def dense_embeddings(vectors: np.ndarray) -> list[int]:
    return first_wins(vectors @ vectors.T, np.float32(0.7))


def tuned_embeddings(vectors: np.ndarray) -> list[int]:
    return first_wins_tuned(vectors @ vectors.T, np.float32(0.7))


def our_embeddings(vectors: np.ndarray) -> list[int]:
    from star1.dedup import embeddings

    return np.flatnonzero(embeddings.self_matches(vectors, 0.7)[0] < 0).tolist()


def encoders(size: int) -> dict[str, float]:
    """Compare our encoder with sentence-transformers in one process: questions per CPU second, largest difference."""
    from sentence_transformers import SentenceTransformer

    from star1.dedup.encoder import PACKAGED_MODEL, encode, model_folder

    texts = questions(size, exact=0.0)
    rival = SentenceTransformer(str(model_folder(PACKAGED_MODEL)), device="cpu")
    rival.encode(texts[:64])
    began = time.process_time()
    theirs = rival.encode(texts)
    rival_s = time.process_time() - began
    encode(texts[:64], PACKAGED_MODEL)
    began = time.process_time()
    ours = encode(texts, PACKAGED_MODEL)
    ours_s = time.process_time() - began
    return {"ours": size / ours_s, "rival": size / rival_s, "difference": float(np.abs(ours - theirs).max())}


def pool(size: int) -> dict[str, object]:
    """Run all filters over a pool with the sources' shares; the encoder's stand-in is not counted."""
    from star1.dedup.steps import deduplicate
    from star1.text import question_id

    total = sum(rows for rows, _ in SOURCES.values())
    names = [name for name, (rows, _) in SOURCES.items() for _ in range(round(rows * size / total))]
    texts = questions(len(names) + BENCHMARK_ROWS)
    prompts = pd.DataFrame({"prompt": texts[-BENCHMARK_ROWS:]}).assign(benchmark="Held")
    prompts["prompt_id"] = prompts.index.astype(str)
    rows = pd.DataFrame({"question": texts[: len(names)], "source": names})
    rows.insert(0, "id", rows["question"].map(question_id))
    del texts, names
    spent = 0.0

    def encode(some: Sequence[str]) -> np.ndarray:
        nonlocal spent
        began = time.process_time()
        vectors = embed(some)
        spent += time.process_time() - began
        return vectors

    ngram = {name: n for name, (_, n) in SOURCES.items()}
    deduplicate(rows.head(300), prompts.head(10), ngram, Settings(), encode)
    held, began, spent = resident(), time.process_time(), 0.0
    kept, lineage = deduplicate(rows, prompts, ngram, Settings(), encode)
    cpu = time.process_time() - began - spent
    encoded = len(kept) + int(lineage["reason"].str.startswith("embedding").sum())
    sizes = {"rows": len(rows), "kept": len(kept), "encoded": encoded}
    return sizes | {"cpu_s": cpu, "before_mib": held, "peak_mib": peak()}


RIVALS: dict[str, dict[str, Callable[..., list[int]]]] = {
    "tfidf": {"ours": our_tfidf, "dense": dense_tfidf, "tuned": tuned_tfidf},
    "embeddings": {"ours": our_embeddings, "dense": dense_embeddings, "tuned": tuned_embeddings},
}


def filter_alone(what: str, which: str, size: int) -> dict[str, object]:
    """Time one filter on `size` rows, after a small run that loads and compiles what it needs."""
    texts = questions(size, exact=0.0)
    data = embed(texts) if what == "embeddings" else texts
    RIVALS[what][which](data[:64])
    held, began = resident(), time.process_time()
    kept = RIVALS[what][which](data)
    return {"cpu_s": time.process_time() - began, "extra_mib": peak() - held, "kept": kept}


def resident() -> float:
    """Reset the peak and return the memory held now, in MiB (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def peak() -> float:
    """Return the most memory held since `resident`, in MiB."""
    return _status("VmHWM")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def apart(*arguments: object) -> dict:
    """Run one measurement of this file in a process of its own, on one thread."""
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, __file__, "--one", *map(str, arguments)]
    return json.loads(subprocess.run(command, env=os.environ | threads, check=True, stdout=subprocess.PIPE).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[2_000, 5_000, 10_000, 20_000])
    parser.add_argument("--pools", type=int, nargs="*", default=[100_000, 200_000, 528_800])
    parser.add_argument("--encode", type=int, nargs="*", default=[3_000])
    parser.add_argument("--one", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        what, *rest, size = arguments.one
        measurements = {"pool": pool, "encoders": encoders}
        print(json.dumps(filter_alone(what, *rest, int(size)) if rest else measurements[what](int(size))))
        return

    for what in RIVALS:
        print(f"\n{what}, rows among themselves")
        for size in arguments.sizes:
            runs = {which: apart(what, which, size) for which in RIVALS[what]}
            ours = runs["ours"]
            for which, run in runs.items():
                same = f"{run['cpu_s'] / ours['cpu_s']:5.1f}x, same rows kept: {run['kept'] == ours['kept']}"
                figures = f"{run['cpu_s']:6.2f} s {run['extra_mib']:6.0f} MiB  {len(run['kept']):,} kept"
                print(f"{size:7,} {which:6} {figures}  {'' if run is ours else same}")
    for size in arguments.encode:
        speed = apart("encoders", size)
        print(f"\nMiniLM over {size:,} questions, per CPU s: ours {speed['ours']:.0f}, ", end="")
        print(f"sentence-transformers {speed['rival']:.0f}; largest difference {speed['difference']:.1e}")
    print(
        "\nall filters, without encoding: rows | kept | CPU s | peak MiB, of which held before | rows that reach the ",
        end="",
    )
    print(f"encoder | CPU s with them encoded, computed at {ENCODED_PER_S} per s")
    for size in arguments.pools:
        run = apart("pool", size)
        memory = f"{run['peak_mib']:.0f}, {run['before_mib']:.0f}"
        whole = run["cpu_s"] + run["encoded"] / ENCODED_PER_S
        figures = f"{run['cpu_s']:.1f} | {memory} | {run['encoded']:,} | {whole:.0f}"
        print(f"{run['rows']:7,} | {run['kept']:,} | {figures}")


if __name__ == "__main__":
    main()
