"""Files are written whole or not at all; what a killed process leaves counts for neither DVC nor Git."""

import shutil
from pathlib import Path

from star1.files import atomic
from tests.conftest import run
from tests.imports import ROOT

READING = "stages: {read: {cmd: cat data/raw/a > out, deps: [data/raw], outs: [out]}}\n"


def test_a_temporary_file_that_a_killed_stage_left_changes_no_hash_of_its_folder(tmp_path: Path) -> None:
    for name in (".dvcignore", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path)
    raw = tmp_path / "data/raw"
    raw.mkdir(parents=True)
    (raw / "a").write_text("row")
    (tmp_path / "dvc.yaml").write_text(READING)
    run(tmp_path, "git", "init", "-q")
    run(tmp_path, "dvc", "init", "-q")
    run(tmp_path, "dvc", "repro", "-q")
    for folder in (raw, tmp_path / "data/own", tmp_path / "responses"):
        with atomic(folder / "b.parquet") as temporary:
            left = shutil.copy(temporary, temporary.with_name(f"{temporary.stem}x{temporary.suffix}"))
        (folder / "b.parquet").unlink()
        assert run(tmp_path, "git", "check-ignore", str(left))
    assert "up to date" in run(tmp_path, "dvc", "status")
