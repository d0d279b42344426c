"""`star1 diff` at the paper's size, against a plain pandas comparison of the same files.

    python benchmarks/diff.py    # 2 minutes, 2 GiB

Makes a Git and DVC repository in a temporary folder with two commits: raw, collection, categorized, cot and scored of
41,000 rows each with thoughts of 400 random words, the later tables, a lineage, and judgements of two models on 2,355
prompts. The second commit drops one row in twenty, adds as many, and rewrites a tenth of the answers and scores.
Wall and CPU seconds are those of the whole command, imports and start of Python included, on one thread, the least of
three; `same` compares the second commit with the workspace, which is the same. The rival is given both states' files as
two folders, reads them with pandas, merges on the key and compares column by column; it knows nothing of Git, DVC,
lineage or verdicts.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from deduplication import questions, words_of_the_model
from dvc.repo import Repo
from measuring import measured
from ruamel.yaml import YAML

from star1.artifacts import ARTIFACTS, SAFETY_CRITERIA, to_table, write_table
from star1.text import question_id

ROWS, FULL, SELECTED, PROMPTS, WORDS = 41_000, 10_000, 1_000, 2_355, 400
KEYS = {
    "raw": ["source_id", "question"],
    "judgements": ["benchmark", "prompt_id", "sample"],
    "lineage": ["id", "source"],
}


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", "-c", "user.name=b", "-c", "user.email=b@localhost", *arguments], cwd=root, check=True)


def thoughts(count: int) -> list[str]:
    rng = np.random.default_rng(1)
    words = np.array(words_of_the_model(), dtype=object)
    return [" ".join(words[row]) for row in rng.integers(len(words), size=(count, WORDS))]


def write(root: Path, artifact: str, frame: pd.DataFrame, **keys: str) -> None:
    write_table(to_table(ARTIFACTS[artifact], frame), root / ARTIFACTS[artifact].at(**keys))


def judgements(root: Path, rng: np.random.Generator, said: list[str]) -> None:
    for model in ("base", "star1"):
        rows = {
            "suite": ["reasoning"] * PROMPTS,
            "task": ["number"] * PROMPTS,
            "benchmark": [f"benchmark {number % 8}" for number in range(PROMPTS)],
            "prompt_id": [str(number) for number in range(PROMPTS)],
            "prompt": [f"prompt {number}" for number in range(PROMPTS)],
            "sample": [0] * PROMPTS,
            "response": said[:PROMPTS],
            "thinking": said[:PROMPTS],
            "answer": rng.choice(["yes", "no"], PROMPTS).tolist(),
            "verdict": rng.choice(["correct", "wrong"], PROMPTS).tolist(),
        }
        write_table(pa.table(rows), root / f"data/judgements/{model}.parquet")


def state(root: Path, rows: pd.DataFrame, seed: int) -> None:
    """Write all tables of a state, `rows` being the scored ones, and commit them in DVC and Git."""
    rng = np.random.default_rng(seed)
    write(root, "raw", rows, source="ALERT")
    for artifact in ("collection", "categorized", "cot", "scored"):
        write(root, artifact, rows)
    full = rows[rows["score"].map(lambda score: min(score.values()) == 10)][:FULL]
    write(root, "full_score", full)
    kept = full.iloc[np.sort(rng.choice(len(full), SELECTED, replace=False))]
    write(root, "star1", kept)
    left = rows[~rows["id"].isin(kept["id"])][["id", "source"]].assign(stage="select", outcome="dropped")
    left = left.assign(reason="not full score", because_of=None, value=7.0, detail=None)
    write(root, "lineage", left, stage="select")
    judgements(root, rng, rows["thinking"].tolist())
    paths = sorted(str(path.relative_to(root)) for path in root.glob("data/**/*.parquet"))
    YAML().dump({"stages": {"all": {"cmd": "exit 1", "outs": paths}}}, root / "dvc.yaml")
    YAML().dump({"seed": seed}, root / "params.yaml")
    with Repo(str(root)) as repo:
        repo.commit(force=True)
    git(root, "add", "-A")
    git(root, "commit", "-qm", f"state {seed}")


def make(root: Path) -> None:
    """Make the repository with its two states, and a folder beside it with the files of each."""
    rng = np.random.default_rng(0)
    root.mkdir()
    git(root, "init", "-q")
    Repo.init(str(root)).close()
    (root / ".gitignore").write_text("/data\n")
    pool = pd.DataFrame({"question": questions(ROWS + ROWS // 20, exact=0), "source": "ALERT"})
    pool["id"] = pool["question"].map(question_id) + pool.index.astype(str)
    pool["source_id"] = pool.index.astype(str)
    pool["thinking"] = thoughts(len(pool))
    pool["answer"] = "No, for good reasons."
    pool["response"] = "<think>\n" + pool["thinking"] + "\n</think>\n\n" + pool["answer"]
    pool["category"] = [["Self-Harm", "Privacy/Personal Data"][: 1 + number % 2] for number in range(len(pool))]
    pool["score"] = [dict.fromkeys(SAFETY_CRITERIA, int(value)) for value in rng.integers(7, 11, len(pool))]
    state(root, pool[:ROWS], seed=0)
    shutil.copytree(root / "data", root.parent / "old/data")
    edited = pool[ROWS // 20 :].copy()
    chosen = rng.random(len(edited)) < 0.1
    edited.loc[chosen, "answer"] = "No, for better reasons."
    edited.loc[chosen, "score"] = [dict.fromkeys(SAFETY_CRITERIA, 10)] * int(chosen.sum())
    state(root, edited, seed=1)
    shutil.copytree(root / "data", root.parent / "new/data")


def rival(old: Path, new: Path) -> None:
    """Print what differs between two folders, in the plain way."""
    for path in sorted(old.glob("data/**/*.parquet")):
        keys = KEYS.get(path.parent.name, ["id"])
        before, after = pd.read_parquet(path), pd.read_parquet(new / path.relative_to(old))
        both = before.merge(after, on=keys, how="outer", suffixes=("_old", "_new"), indicator=True)
        pairs = both[both["_merge"] == "both"]
        columns = {}
        for name in before.columns.difference(keys):
            values = pairs[f"{name}_old"], pairs[f"{name}_new"]
            if values[0].dtype == object:  # lists and mappings
                values = values[0].astype(str), values[1].astype(str)
            columns[name] = int(((values[0] != values[1]) & ~(values[0].isna() & values[1].isna())).sum())
        counts = both["_merge"].value_counts()
        print(path.name, counts["right_only"], counts["left_only"], {k: n for k, n in columns.items() if n})


def described(command: list[str], folder: Path) -> str:
    """Return the least wall and CPU seconds of three runs, and the peak of memory so far."""
    wall, cpu = measured(command, folder)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return f"{wall:6.2f} s, {cpu:6.2f} CPU s, peak so far {peak:.2f} GiB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rival", nargs=2, type=Path, metavar="FOLDER", help="only run the rival on two states' files")
    if folders := parser.parse_args().rival:
        rival(*folders)
        return
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "repository"
        make(root)
        ours = [sys.executable, "-c", "from star1.cli import main; main()", "diff"]
        print(subprocess.run([*ours, "HEAD~1", "HEAD"], cwd=root, check=True, capture_output=True, text=True).stdout)
        plain = [sys.executable, __file__, "--rival", str(root.parent / "old"), str(root.parent / "new")]
        for what, command in (
            ("same", [*ours, "HEAD", "workspace"]),
            ("ours", [*ours, "HEAD~1", "HEAD"]),
            ("ours, --json", [*ours, "HEAD~1", "HEAD", "--json"]),
            ("ours, --html", [*ours, "HEAD~1", "HEAD", "--html", "diff.html"]),
            ("pandas", plain),
        ):
            print(f"{what:14} {described(command, root)}")
        print(subprocess.run(plain, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
