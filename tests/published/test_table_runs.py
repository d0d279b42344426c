"""The runs of the presets of the paper's tables, on small tables: which rows each trains on, and in which form."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from star1.artifacts import ARTIFACTS, to_table, write_table
from star1.params import load
from star1.pipeline.presets import lay_over
from star1.sources.entries import PublishedEntry
from star1.sources.published import read_published
from star1.sources.training_sets import read_dataset
from star1.training.rows import read_rows, training_rows
from tests.imports import ROOT
from tests.published.conftest import stand_in

FULL, EMPTY = "<think>\nIt is somebody else's", "<think>\n\n</think>\n\nPlease"


def save(root: Path, artifact: str, rows: pd.DataFrame, **keys: str) -> None:
    write_table(to_table(ARTIFACTS[artifact], rows), root / ARTIFACTS[artifact].at(**keys))


@pytest.fixture
def tables(root: Path, put: Callable[..., dict[str, Any]]) -> Path:
    """The tables that runs name, of 60 rows of which 40 have full scores; SafeChain's responses open no thought."""
    shutil.copytree(ROOT / "presets", root / "presets")
    rows = stand_in()
    entry = PublishedEntry(**put(*rows))
    published = read_published("star-1", entry, root, load(root / "params.yaml").categories)
    full = published[[min(score.values()) == 10 for score in published["score"]]]
    save(root, "published", published, name="star-1")
    for artifact, part in (("scored", published), ("full_score", full), ("star1", full[:20]), ("star1_2k", full[:30])):
        save(root, artifact, part)
    file = root / "data/own/SafeChain/data/train-00000-of-00001.parquet"
    file.parent.mkdir(parents=True)
    texts = [row["response"].removeprefix("<think>") for row in rows]
    pd.DataFrame({"instruction": published["question"], "label": "vanilla", "response": texts}).to_parquet(file)
    return root


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        (
            "ablation-data",
            {
                "star1": (20, FULL),
                "safechain-1k": (60, FULL),
                "safechain-40k": (60, FULL),
                "medium-1k": (20, FULL),
                "high-1k": (40, FULL),
                "random-1k": (60, FULL),
            },
        ),
        (
            "ablation-no-think",
            {
                "star1": (20, FULL),
                "star1-no-think": (20, EMPTY),
                "instruct-star1": (20, FULL),
                "instruct-no-think": (20, "Please ask"),
            },
        ),
        ("over-refusal", {"star1": (20, FULL), "star1-benign": (30, FULL), "star1-equal-steps": (20, FULL)}),
        ("k-sweep", {"star1": (20, FULL)}),
        ("from-published", {"star1": (20, FULL), "star1-published": (60, FULL)}),
    ],
)
def test_each_run_trains_on_its_rows(tables: Path, preset: str, expected: dict[str, tuple[int, str]]) -> None:
    for name in ("paper", preset):
        lay_over(tables / "params.yaml", tables / "presets", name)
    params = load(tables / "params.yaml")
    for name, dataset in params.datasets.items():
        save(tables, "dataset", read_dataset(name, dataset, tables), name=name)
    found = {}
    for name, run in params.runs.items():
        pairs = training_rows(read_rows(tables / f"data/{run.data}.parquet", run), run, params.train.seed)
        (start,) = {start for start in (FULL, EMPTY, "Please ask") if pairs[0][1].startswith(start)}
        assert all(response.startswith(start) for _, response in pairs)
        found[name] = (len(pairs), start)
    assert found == expected
