"""Why questions of STAR-1 came and went, in states of published rows and of tables of an older layout."""

from pathlib import Path
from typing import Any

import pytest

from star1.lineage.diff import Diff, diff
from star1.lineage.diff_text import text
from star1.selection import COPY, OVER_REPRESENTED
from tests.lineage.repositories import Tables, git, left, repository, row, save

KEPT, TWICE, OURS, THEIRS, LATER = (row(str(number) * 16, f"question {number}", "QHarm") for number in range(5))
RAW = [{"question": "question 2", "source": "QHarm", "source_id": "a"}]
COPIED = left(TWICE["id"], "select", COPY, detail="published twice")
CROWDED = left(TWICE["id"], "select", OVER_REPRESENTED, value=0.25, detail="step 1 of 2")


def moved(root: Path, old: Tables, new: Tables) -> Diff:
    """Return the difference of two commits with these tables."""
    for name, tables in (("one", old), ("two", new)):
        for path in root.glob("data/**/*.parquet"):
            path.unlink()
        save(root, tables, {"state": name}, {}, name)
        git(root, "tag", name)
    return diff("one", "two")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = repository(tmp_path / "repository")
    monkeypatch.chdir(root)
    return root


def went(found: Diff) -> list[tuple[str | None, str]]:
    assert found.selected is not None
    return [(line["stage"], line["reason"]) for line in found.selected["went"]]


def test_published_rows_leave_with_their_entry(root: Path) -> None:
    old = {
        "data/published/both.parquet": [KEPT, TWICE],
        "data/published/gone.parquet": [TWICE, THEIRS],
        "data/published/less.parquet": [KEPT, LATER],
        "data/raw/QHarm.parquet": RAW,
        "data/star1.parquet": [KEPT, TWICE, OURS, THEIRS, LATER],
    }
    new = {
        "data/published/both.parquet": [KEPT, TWICE],
        "data/published/less.parquet": [KEPT],
        "data/raw/QHarm.parquet": RAW,
        "data/lineage/select.parquet": [CROWDED, COPIED],  # as the stage writes them: the copies come last
        "data/star1.parquet": [KEPT],
    }
    found = moved(root, old, new)
    assert went(found) == [
        ("select", OVER_REPRESENTED),
        ("collect", "QHarm does not hold it"),
        ("published", "gone is not among the published entries"),
        ("published", "less does not hold it"),
    ]


@pytest.mark.parametrize(
    "path, lines, column",
    [
        ("data/star1.parquet", [KEPT, TWICE], "question"),
        ("data/lineage/select.parquet", [CROWDED], "reason"),
        ("data/collection.parquet", [TWICE], "question"),
    ],
)
def test_tables_of_an_older_layout_are_said(root: Path, path: str, lines: list[dict[str, Any]], column: str) -> None:
    new: dict[str, list[dict[str, Any]]] = {"data/star1.parquet": [KEPT], "data/lineage/select.parquet": [CROWDED]}
    new[path] = [{name: value for name, value in line.items() if name != column} for line in new.get(path, lines)]
    found = moved(root, {"data/star1.parquet": [KEPT, TWICE]}, new)
    assert found.selected is None
    assert found.notes == [f"questions of STAR-1 are not compared, {path} of two lacks the column {column}"]
    assert f"  {found.notes[0]}" in list(text(found))
