"""`star1 trace` at the paper's size, against a plain pandas read of the same files.

    python benchmarks/tracing.py    # 1 minute, 2 GiB for the rival

Makes data/ in a temporary folder: 528,800 raw rows in 18 files, a collection of 41,000, a line of lineage for each
other row, 2,355 benchmark prompts, and the tables of the later stages. What deduplication did is drawn at random; ids,
copies and the order of the rows are real ones. Wall and CPU seconds are those of the whole command, imports and start
of Python included, on one thread, the least of three. The rival, given the same row, reads the same files with pandas
and filters with booleans; a new text it compares with the collection through scikit-learn.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from deduplication import BENCHMARK_ROWS, SOURCES, questions
from measuring import measured

from star1.artifacts import ARTIFACTS, to_table, write_table
from star1.criteria import SAFETY_CRITERIA
from star1.params import load
from star1.text import question_id

ROOT = Path(__file__).resolve().parent.parent
KEPT, FULL, SELECTED = 41_000, 10_000, 1_000
NEW_TEXT = "how do i tell a perfectly new question from all the ones that stand in the collection"


def write(root: Path, artifact: str, frame: pd.DataFrame, **keys: str) -> None:
    write_table(to_table(ARTIFACTS[artifact], frame), root / ARTIFACTS[artifact].at(**keys))


def make(root: Path) -> tuple[str, str]:
    """Write data/ and return the ids of a row that was selected and of one that was dropped, at the end of a chain."""
    rng = np.random.default_rng(0)
    for name in ("params.yaml", "dvc.yaml", "configs", "src"):
        (root / name).symlink_to(ROOT / name)
    source = np.repeat(list(SOURCES), [rows for rows, _ in SOURCES.values()])
    raw = pd.DataFrame({"question": questions(len(source)), "source": source})
    raw["source_id"] = raw.groupby("source").cumcount().astype(str)
    for name, rows in raw.groupby("source", sort=False):
        write(root, "raw", rows, source=str(name))
        write(root, "lineage", pd.DataFrame(columns=list(ARTIFACTS["lineage"].columns)), stage=f"collect/{name}")
    raw["id"] = raw["question"].map(question_id)
    prompts = pd.DataFrame({"prompt": questions(BENCHMARK_ROWS, exact=0, seed=1), "answer": None, "label": None})
    prompts["prompt_id"], prompts["category"] = prompts.index.astype(str), None
    against = [
        (suite, name) for suite, names in load(ROOT / "params.yaml").deduplicate.against.items() for name in names
    ]
    for number, (suite, name) in enumerate(against):
        write(root, "benchmark", prompts[number :: len(against)], suite=suite, benchmark=name)

    copies = raw["id"].duplicated()
    firsts = np.flatnonzero(~copies)
    kept = np.zeros(len(raw), dtype=bool)
    kept[rng.choice(firsts, KEPT, replace=False)] = True
    # A row goes because of an earlier one, kept or dropped: chains form as in a real pool.
    earlier = firsts[(rng.random(len(raw)) * np.searchsorted(firsts, np.arange(len(raw)))).astype(int)]
    left = raw[["id", "source"]].assign(stage="deduplicate", outcome="dropped", reason="TF-IDF of an earlier row")
    left["because_of"], left["value"], left["detail"] = raw["id"].to_numpy()[earlier], 0.7, None
    left.loc[copies, "reason"], left.loc[copies, "value"] = "exact duplicate", None
    left.loc[copies, "because_of"] = left.loc[copies, "id"]
    write(root, "collection", raw[kept])
    write(root, "lineage", left[~kept], stage="deduplicate")

    rows = raw[kept].assign(response="<think>\n" + "thought " * 300 + "\n</think>\n\nanswer", answer="answer")
    rows["thinking"] = "thought " * 300
    rows["category"] = [["Self-Harm"]] * KEPT
    rows["score"] = [dict.fromkeys(SAFETY_CRITERIA, 10 if row < FULL else 7) for row in range(KEPT)]
    for artifact in ("categorized", "cot", "scored"):
        write(root, artifact, rows)
    write(root, "full_score", rows[:FULL])
    write(root, "star1", rows[:SELECTED])
    gone = rows[["id", "source"]].assign(stage="select", outcome="dropped", reason="not full score", value=7.0)
    write(root, "lineage", gone[SELECTED:].assign(because_of=None, detail="step"), stage="select")
    last = firsts[~kept[firsts]][-1]
    return str(rows["id"].iloc[SELECTED // 2]), str(raw["id"].iloc[last])


def rival(asked: str) -> None:
    """Tell what the files say of an id, or the nearest kept row of a text, in the plain way."""
    collection = pd.read_parquet("data/collection.parquet")
    if len(asked) != 16:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.metrics.pairwise import cosine_similarity

        vectors = TfidfVectorizer().fit_transform([*collection["question"], asked])
        cosines = cosine_similarity(vectors[-1], vectors[:-1])[0]
        print(collection["id"].iloc[int(cosines.argmax())], cosines.max())
    raw = pd.concat([pd.read_parquet(path) for path in sorted(Path("data/raw").glob("*.parquet"))])
    raw["id"] = raw["question"].map(question_id)
    lineage = pd.read_parquet("data/lineage/deduplicate.parquet")
    row_id = asked if len(asked) == 16 else question_id(asked)
    print(raw[raw["id"] == row_id])
    while len(line := lineage[(lineage["id"] == row_id) & (lineage["reason"] != "exact duplicate")]):
        row_id = line["because_of"].iloc[0]
        print(line, raw[raw["id"] == row_id])
    for name in ("categorized", "cot", "scored", "full_score", "star1", "lineage/select"):
        rows = pd.read_parquet(f"data/{name}.parquet")
        print(rows[rows["id"] == row_id])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rival", metavar="ID_OR_TEXT", help="only run the rival, in this folder")
    if asked := parser.parse_args().rival:
        rival(asked)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kept, dropped = make(folder)
        ours = [sys.executable, "-c", "from star1.cli import main; main()", "trace"]
        print(subprocess.run([*ours, dropped], cwd=folder, check=True, capture_output=True, text=True).stdout)
        for what, asked in (("a selected row", kept), ("a dropped row", dropped), ("a new text", NEW_TEXT)):
            wall, cpu = measured([*ours, asked], folder)
            rival_wall, rival_cpu = measured([sys.executable, __file__, "--rival", asked], folder)
            print(f"{what:15} ours {wall:.2f} s, {cpu:.2f} CPU s; pandas {rival_wall:.2f} s, {rival_cpu:.2f} CPU s")


if __name__ == "__main__":
    main()
