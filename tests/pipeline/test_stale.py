"""What is outdated, as DVC sees it in a real repository."""

from pathlib import Path

import pandas as pd

from star1.artifacts import ARTIFACTS, to_table, write_table
from star1.llm import pending
from star1.pipeline.stale import because, outdated
from tests.conftest import run

STAGES = """
stages:
  check: {cmd: mkdir -p data && echo 1 > data/.checked, deps: [params.yaml], outs: [data/.checked: {cache: false}]}
  a: {cmd: cp p.txt a.txt, deps: [p.txt, data/.checked], params: [x], outs: [a.txt]}
  b: {cmd: cp a.txt b.txt, deps: [a.txt], params: [y], outs: [b.txt]}
"""


def test_an_output_is_outdated_with_any_stage_before_it(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(STAGES)
    (tmp_path / "params.yaml").write_text("x: 1\ny: 1\n")
    (tmp_path / "p.txt").write_text("p")
    assert outdated(tmp_path)("b.txt") == [], "no DVC repository"
    run(tmp_path, "dvc", "init", "-q", "--no-scm")
    assert outdated(tmp_path)("b.txt") == [], "nothing ran so far"
    run(tmp_path, "dvc", "repro", "-q")
    assert outdated(tmp_path)("b.txt") == []
    (tmp_path / "data/.checked").unlink()  # as in a clone
    assert outdated(tmp_path)("b.txt") == []
    (tmp_path / "params.yaml").write_text("x: 1\ny: 2\n")
    assert (outdated(tmp_path)("a.txt"), outdated(tmp_path)("b.txt")) == ([], ["b"])
    (tmp_path / "params.yaml").write_text("x: 2\ny: 1\n")
    assert (outdated(tmp_path)("a.txt"), outdated(tmp_path)("b.txt")) == (["a"], ["a"])
    assert outdated(tmp_path)("p.txt") == []


IN_A_FOLDER = """
stages:
  check: {cmd: mkdir -p data/raw && echo 1 > data/.checked, deps: [params.yaml], outs: [data/.checked: {cache: false}]}
  raw: {foreach: "${sources}", do: {cmd: "cp p.txt data/raw/${key}", deps: [p.txt], outs: ["data/raw/${key}"]}}
  all: {cmd: ls data/raw > all.txt, deps: [data/raw, data/.checked], outs: [all.txt]}
"""


def test_an_empty_folder_that_no_clone_has_makes_nothing_outdated(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(IN_A_FOLDER)
    (tmp_path / "params.yaml").write_text("sources: {}\n")
    run(tmp_path, "dvc", "init", "-q", "--no-scm")
    run(tmp_path, "dvc", "repro", "-q")
    (tmp_path / "data/.checked").unlink()
    (tmp_path / "data/raw").rmdir()
    assert outdated(tmp_path)("all.txt") == []
    assert "data/raw" in run(tmp_path, "dvc", "status"), "DVC names it; star1 estimate need not"
    (tmp_path / "data/raw").mkdir()
    (tmp_path / "data/raw/row").write_text("row")
    assert outdated(tmp_path)("all.txt") == ["all"]


def test_stale_rows_are_not_counted(root: Path) -> None:
    rows = pd.DataFrame({"id": ["0" * 16], "question": ["How?"], "source": ["S"]})
    write_table(to_table(ARTIFACTS["collection"], rows), root / "data/collection.parquet")

    def old(path: Path) -> list[str]:
        return ["base", "collect@a", "collect@b", "collect@c"]

    stages = [("categorize",), ("reason",), ("rewrite",)]
    stale = pending.stale(root, stages, old)
    told = pending.table(root, dict.fromkeys(stages), stale, old).splitlines()
    why = (
        "more is known once the stages before it have run (its input is outdated: base, collect@a, collect@b and 1 more"
    )
    assert told[1].split("  ")[-1].startswith(why)
    assert "at most" not in told[2], "the stale collection bounds nothing"
    assert "at most 500 rows" in told[3], "select.k does"
    assert told[4].endswith("0.00  without the stages whose rows are not known yet")
    assert because(["a"]) == "a changed"
    assert "at most 1 rows" in pending.table(root, dict.fromkeys(stages)).splitlines()[2]
