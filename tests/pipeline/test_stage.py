"""The stage contract: declared inputs only, schema-checked whole outputs, and no row that vanishes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from star1 import artifacts
from star1.artifacts import ARTIFACTS
from star1.errors import UserError
from star1.pipeline.stage import Stage, UndeclaredPath, left_rows, main
from star1.pipeline.view import UndeclaredParam
from tests.imports import ROOT


def collection(*ids: str) -> pd.DataFrame:
    return pd.DataFrame({"id": list(ids), "question": [f"how {i}?" for i in ids], "source": "ALERT"})


def test_an_undeclared_param_raises(root: Path) -> None:
    with pytest.raises(UndeclaredParam, match=r"Params\.train"):
        _ = Stage("select", (), root).params.train


def test_an_undeclared_path_raises(root: Path) -> None:
    stage = Stage("select", (), root)
    with pytest.raises(UndeclaredPath, match=r"select reads data/collection\.parquet"):
        stage.read("collection")
    with pytest.raises(UndeclaredPath, match=r"select writes data/scored\.parquet"):
        stage.output("data/scored.parquet")
    with pytest.raises(UndeclaredPath):
        Stage("collect", ("ALERT",), root).output("data/raw/GPTFuzz.parquet")


def test_a_missing_input_says_how_to_get_it(root: Path) -> None:
    with pytest.raises(UserError, match=r"scored\.parquet: no such file\. `dvc repro` builds it"):
        Stage("select", (), root).read("scored")


def test_a_table_is_written_whole_in_the_schema_s_order(root: Path) -> None:
    stage = Stage("deduplicate", (), root)
    rows = collection("0" * 16, "1" * 16)
    stage.write("collection", rows[["source", "id", "question"]].assign(more=1))
    written = artifacts.read(root / "data/collection.parquet")
    assert list(written.columns) == ["id", "question", "source"]
    assert written.to_dict("list") == rows.to_dict("list")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (collection("0" * 16).drop(columns="source"), "no column source"),
        (collection("0" * 16).assign(question=None), "column question: 1 of 1 are missing"),
        (collection("0" * 16).assign(question=[3]), "column question: not of type string"),
        (collection("0" * 16, "0" * 16), "expect_column_values_to_be_unique failed on column id"),
        (collection("zz"), "expect_column_values_to_match_regex failed on column id"),
    ],
)
def test_a_bad_table_leaves_nothing_behind(root: Path, rows: pd.DataFrame, told: str) -> None:
    with pytest.raises(UserError, match=told):
        Stage("deduplicate", (), root).write("collection", rows)
    assert list((root / "data").glob("*collection*")) == []
    assert list((root / "data").glob(".*")) == []


def test_no_row_vanishes(root: Path) -> None:
    stage, rows = Stage("deduplicate", (), root), collection("0" * 16, "1" * 16)
    with pytest.raises(AssertionError, match="2 rows came, 1 stay, 0 left: some vanished"):
        stage.account(2, 1, left_rows(rows[:0], "dropped", "x"))
    stage.account(2, 1, left_rows(rows[1:], "dropped", "exact duplicate"))
    assert (root / "data/rows/deduplicate.json").read_text() == (
        '{\n  "in": 2,\n  "out": 1,\n  "dropped": {\n    "exact duplicate": 1\n  }\n}\n'
    )
    lineage = artifacts.read(root / "data/lineage/deduplicate.parquet")
    assert lineage.iloc[0].dropna().to_dict() == {
        "id": "1" * 16,
        "source": "ALERT",
        "stage": "deduplicate",
        "outcome": "dropped",
        "reason": "exact duplicate",
    }


def test_an_empty_lineage_is_a_lineage(root: Path) -> None:
    Stage("deduplicate", (), root).account(2, 2, left_rows(collection(), "dropped", "x"))
    assert list(artifacts.read(root / "data/lineage/deduplicate.parquet").columns) == list(ARTIFACTS["lineage"].columns)


def test_texts_that_look_like_missing_values_stay_texts(root: Path) -> None:
    rows = collection(*(f"{i:016x}" for i in range(4))).assign(question=["NA", "None", "null", "nan"])
    Stage("deduplicate", (), root).write("collection", rows)
    assert list(artifacts.read(root / "data/collection.parquet")["question"]) == ["NA", "None", "null", "nan"]


def test_a_truncated_table_is_told_in_a_line(root: Path) -> None:
    stage = Stage("deduplicate", (), root)
    stage.write("collection", collection("0" * 16))
    path = root / "data/collection.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="not a whole parquet file"):
        stage.read("collection")


def test_a_full_disk_is_told_in_a_line(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def select(stage: Stage) -> None:
        Path("/dev/full").write_text("rows")

    monkeypatch.setattr("sys.argv", ["select"])
    with pytest.raises(SystemExit):
        main(select)
    said = capsys.readouterr().err
    assert said.startswith("select: ") and "No space left on device" in said and said.count("\n") == 1


def began(folder: Path, pandas: str) -> subprocess.CompletedProcess[str]:
    """Start a stage whose first import, pandas, is this program."""
    (folder / "pandas.py").write_text(pandas)
    command = [sys.executable, "-m", "stages.select"]
    path = f"{folder}{os.pathsep}{ROOT / 'src'}"
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True)


def test_an_interrupt_during_the_imports_is_told_in_a_line(tmp_path: Path) -> None:
    done = began(tmp_path, "raise KeyboardInterrupt\n")
    assert (done.stdout, done.stderr) == ("", "interrupted before the stage began.\n")
    assert done.returncode


def test_a_stage_s_process_does_without_scikit_learn(tmp_path: Path) -> None:
    look = "import importlib.util\nprint(importlib.util.find_spec('sklearn'))\nraise KeyboardInterrupt\n"
    assert began(tmp_path, look).stdout == "None\n"


def test_a_stage_and_its_children_run_the_code_of_their_own_copy_of_the_repository(tmp_path: Path) -> None:
    """`dvc exp run --temp` and --queue work in a copy, where an installed star1 is the one of the first."""
    for package in ("stages", "src/star1"):
        (tmp_path / package).mkdir(parents=True)
        shutil.copy(ROOT / package / "__init__.py", tmp_path / package)
    (tmp_path / "src/star1/child.py").write_text("print(__file__)\n")
    (tmp_path / "stages/look.py").write_text(
        "import subprocess, sys, star1\n"
        "print(star1.__file__, flush=True)\n"
        "subprocess.run([sys.executable, '-m', 'star1.child'], check=True)\n"
    )
    installed = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-m", "stages.look"]
    done = subprocess.run(command, cwd=tmp_path, env=installed, capture_output=True, text=True)
    own = tmp_path / "src/star1"
    assert (done.stdout.split(), done.stderr) == ([str(own / "__init__.py"), str(own / "child.py")], "")


def test_openmp_gets_its_spin_count_before_torch_is_imported() -> None:
    program = "import stages, os, sys; print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout == "2000 False\n"
