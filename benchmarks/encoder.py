"""The encoder against float32 sentence-transformers, in the whole deduplication of real questions.

    STAR1_SHARED_DATA=FOLDER python benchmarks/encoder.py    # 3 minutes

FOLDER holds the files that presets/real-files.yaml names, as its data/own does (default: ../shared/data, else
data/own itself). `deduplicate` runs with our encoder and with sentence-transformers in its place, on one thread
each, and once more with ours on two. Compared are every row's fate (kept, or dropped at which step and because of
which other), the cosines of all pairs near the threshold, and, byte by byte, the tables of one thread and of two.
CPU seconds are those of the encoding, loading the model included.
"""

import argparse
import filecmp
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from star1.artifacts import ARTIFACTS, read, to_table, write_table
from star1.dedup import encoder
from star1.dedup.ledger import EXACT_DUPLICATE
from star1.dedup.steps import deduplicate
from star1.params import Params, load
from star1.pipeline.presets import lay_over
from star1.sources.read import read_benchmark, read_source
from star1.text import question_id

ROOT = Path(__file__).resolve().parent.parent
NEAR = 0.01  # pairs this near the threshold, by either encoder, are compared
TABLES = ("collection.parquet", "lineage.parquet")


def real_files() -> Path | None:
    """Return the folder of real files, or None."""
    folders = (os.environ.get("STAR1_SHARED_DATA"), ROOT.parent / "shared/data", ROOT / "data/own")
    return next((Path(folder).resolve() for folder in folders if folder and (Path(folder) / "sources").is_dir()), None)


def laid_out(root: Path, files: Path) -> Params:
    """Make `root` a place where preset real-files finds its files, and return the params with the preset laid over."""
    (root / "data").mkdir()
    (root / "data/own").symlink_to(files)
    for name in ("src", "configs"):
        (root / name).symlink_to(ROOT / name)
    (root / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    lay_over(root / "params.yaml", ROOT / "presets", "real-files")
    return load(root / "params.yaml")


def read_pool(root: Path, params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows (id, question, source) and the benchmarks' prompts, as the stages read them."""
    max_chars = params.collect.max_chars
    raw = [read_source(name, params.sources[name], root, max_chars)[0] for name in params.collect.order]
    rows = pd.concat(raw, ignore_index=True).astype("str")
    rows["id"] = rows["question"].map(question_id)
    prompts = [
        read_benchmark(name, params.benchmarks[name], root, max_chars).assign(benchmark=name)
        for names in params.deduplicate.against.values()
        for name in names
    ]
    return rows[["id", "question", "source"]], pd.concat(prompts, ignore_index=True)


def sentence_transformers(texts: Sequence[str], model: str) -> encoder.Embeddings:
    """Embed with the rival, as `encoder.encode` does."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(encoder.model_folder(model)), device="cpu").encode(list(texts))


def run(which: str, root: Path, out: Path) -> None:
    """Deduplicate with one encoder; write the tables, the vectors, and the sentences per CPU second into `out`."""
    params = load(root / "params.yaml")
    rows, prompts = read_pool(root, params)
    embed = {"ours": encoder.encode, "rival": sentence_transformers}[which]
    embed(rows["question"].head(64).tolist(), params.deduplicate.embedding_model)  # imports, and what is compiled once
    vectors: list[encoder.Embeddings] = []
    spent = 0.0

    def timed(texts: Sequence[str]) -> encoder.Embeddings:
        nonlocal spent
        began = time.process_time()
        vectors.append(embed(texts, params.deduplicate.embedding_model))
        spent += time.process_time() - began
        return vectors[-1]

    ngrams = {name: params.sources[name].ngram for name in params.collect.order}
    kept, left = deduplicate(rows, prompts, ngrams, params.deduplicate, timed)
    for path, frame in zip(TABLES, (kept, left), strict=True):
        write_table(to_table(ARTIFACTS[Path(path).stem], frame), out / path)
    np.savez(out / "vectors.npz", rows=vectors[0], prompts=vectors[1])
    (out / "speed.json").write_text(json.dumps(sum(map(len, vectors)) / spent))


def fates(folder: Path) -> dict[str, tuple[str, str | None]]:
    """Return (reason, because_of) of each different question; exact duplicates go before anything is encoded."""
    kept, left = (read(folder / path) for path in TABLES)
    left = left[left["reason"] != EXACT_DUPLICATE]
    because = zip(left["reason"], left["because_of"], strict=True)
    return dict(zip(left["id"], because, strict=True)) | dict.fromkeys(kept["id"], ("kept", None))


def near_pairs(ours: Path, rival: Path, threshold: float) -> tuple[int, float, float]:
    """Return how many pairs lie within NEAR of the threshold, the largest difference of their cosines, and how near
    the nearest one of them comes to the threshold by the rival's vectors.
    """
    mine, theirs = np.load(ours / "vectors.npz"), np.load(rival / "vectors.npz")
    pairs, difference, nearest = 0, 0.0, np.inf
    for against in ("rows", "prompts"):
        for begin in range(0, len(mine["rows"]), 1000):
            block = slice(begin, begin + 1000)
            one, other = (vectors["rows"][block] @ vectors[against].T for vectors in (mine, theirs))
            near = (np.abs(one - threshold) < NEAR) | (np.abs(other - threshold) < NEAR)
            left, right = np.nonzero(near)
            ordered = left + begin < right if against == "rows" else np.ones(len(left), dtype=bool)
            left, right = left[ordered], right[ordered]
            exact = [
                np.einsum("nd,nd->n", v["rows"][block][left].astype(np.float64), v[against][right].astype(np.float64))
                for v in (mine, theirs)
            ]
            pairs += len(left)
            difference = max(difference, np.abs(exact[0] - exact[1]).max(initial=0.0))
            nearest = min(nearest, np.abs(exact[1] - threshold).min(initial=np.inf))
    return pairs, float(difference), float(nearest)


def apart(which: str, threads: int, root: Path) -> Path:
    """Run one measurement of this file in a process of its own; return the folder of what it wrote."""
    out = root / f"{which}-{threads}"
    out.mkdir()
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(threads)) | {"HF_HUB_OFFLINE": "1"}
    subprocess.run([sys.executable, __file__, "--one", which, str(root), str(out)], env=environment, check=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        which, root, out = arguments.one
        run(which, Path(root), Path(out))
        return
    files = real_files()
    if files is None:
        print("skipped: no real files; set STAR1_SHARED_DATA to a folder with the files of presets/real-files.yaml")
        return

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        params = laid_out(root, files)
        ours, rival, two = apart("ours", 1, root), apart("rival", 1, root), apart("ours", 2, root)
        mine, theirs = fates(ours), fates(rival)
        assert mine.keys() == theirs.keys()
        rows = sum(len(read(ours / path)) for path in TABLES)
        decisions = sum(mine[row_id][0] != theirs[row_id][0] for row_id in mine)
        others = sum(mine[row_id] != theirs[row_id] for row_id in mine) - decisions
        print(f"{rows:,} rows, {len(mine):,} different questions, {len(read(ours / TABLES[0])):,} kept")
        print(f"kept or dropped otherwise, or at another step: {decisions}; because of another row: {others}")
        pairs, difference, nearest = near_pairs(ours, rival, params.deduplicate.embedding_threshold)
        print(f"{pairs:,} pairs within {NEAR} of the threshold: cosines differ by at most {difference:.1e}; ", end="")
        print(f"the nearest one is {nearest:.1e} away from it")
        speed, rival_speed = (json.loads((out / "speed.json").read_text()) for out in (ours, rival))
        print(f"sentences per CPU s: ours {speed:.0f}, sentence-transformers {rival_speed:.0f}")
        same = all(filecmp.cmp(ours / path, two / path, shallow=False) for path in TABLES)
        print(f"collection and lineage, the same bytes with one thread and with two: {same}")


if __name__ == "__main__":
    main()
