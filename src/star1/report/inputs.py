"""What the report reads beside the artifacts: row counts of the stages and training curves."""

import json
from collections.abc import Iterable, Mapping
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


def agreements(folder: Path) -> dict[str, dict[str, Any]]:
    """Return name -> how far a judge agrees with people, from the files of metrics/agreement."""
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))}


def judging_tasks(judgements: Iterable[pd.DataFrame], second_judges: Mapping[str, str]) -> dict[str, list[str]]:
    """Return suite -> the tasks whose judges gave verdicts on it, the first ones before the second."""
    found: dict[str, dict[str, None]] = {}
    for rows in judgements:
        for suite, task in rows[["suite", "task"]].drop_duplicates().itertuples(index=False):
            found.setdefault(suite, {})[task] = None
    return {
        suite: [*tasks, *([second_judges[suite]] if suite in second_judges else [])] for suite, tasks in found.items()
    }
