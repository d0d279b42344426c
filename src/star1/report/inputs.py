"""What the report reads beside the artifacts: row counts of the stages and training curves."""

import json
from pathlib import Path
from typing import Any

import pandas as pd


def row_counts(folder: Path) -> dict[str, dict[str, Any]]:
    """Return stage (or stage@key) -> {"in", "out", "dropped"} from the files below data/rows."""
    files = sorted(folder.rglob("*.json"))
    return {
        "@".join(file.relative_to(folder).with_suffix("").parts): json.loads(file.read_text(encoding="utf-8"))
        for file in files
    }


def curves(folder: Path, runs: list[str]) -> dict[str, pd.DataFrame]:
    """Return run -> its curve, a row for each optimizer step."""
    return {run: pd.read_csv(folder / f"{run}.csv") for run in runs}
