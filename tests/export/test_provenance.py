"""What dvc.lock says of an output, where it also remembers sources that are gone, or a source was read again since."""

import json
from pathlib import Path
from typing import Any

import pytest

from star1.errors import UserError
from star1.export.provenance import current_md5, provenance
from tests.conftest import edit_params


def out(path: str, md5: str = "") -> dict[str, str]:
    return {"path": path, "md5": md5 or f"md5 of {path}"}


def collected(root: Path, *sources: str) -> dict[str, str]:
    """Return data/raw as a dependency that held these sources."""
    folder = root / "folder"
    folder.mkdir()
    for source in sources:
        (folder / f"{source}.parquet").write_text(source)
    found = out("data/raw", current_md5(folder))
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    return found


@pytest.fixture
def repository(root: Path) -> Path:
    """dvc.lock of a repository in which ALERT was a source once and HarmfulQA is one now."""
    edit_params(root, lambda params: params["sources"].pop("ALERT"))
    (root / "ALERT.parquet").write_text("ALERT")
    (root / "HarmfulQA.parquet").write_text("HarmfulQA")

    def collect(source: str) -> dict[str, Any]:
        raw = out(f"data/raw/{source}.parquet", current_md5(root / f"{source}.parquet"))
        return {"params": {"params.yaml": {f"sources.{source}": source}}, "outs": [raw, out(f"data/rows/{source}")]}

    lock = {f"collect@{source}": collect(source) for source in ("ALERT", "HarmfulQA")}
    lock["select"] = {"deps": [out("data/collection.parquet")], "outs": [out("data/star1.parquet")]}
    lock["deduplicate"] = {"deps": [out("stages/x.py")], "outs": [out("data/collection.parquet")]}
    (root / "dvc.lock").write_text(json.dumps({"stages": lock}))
    return root


def made_of(root: Path, dependency: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return what STAR-1 was made of and the params that decided, if deduplication read this."""
    lock = json.loads((root / "dvc.lock").read_text())
    lock["stages"]["deduplicate"]["deps"].append(dependency)
    (root / "dvc.lock").write_text(json.dumps(lock))
    found = provenance(root, "data/star1.parquet")
    return list(found.hashes), list(found.params)


LATER = ["data/collection.parquet", "data/star1.parquet"]


def test_a_source_that_is_gone_is_left_out(repository: Path) -> None:
    found = made_of(repository, collected(repository, "HarmfulQA"))
    assert found == ([*LATER[:1], "data/raw/HarmfulQA.parquet", *LATER[1:]], ["sources.HarmfulQA"])


def test_a_source_that_only_params_yaml_lacks_is_named(repository: Path) -> None:
    hashes, params = made_of(repository, collected(repository, "ALERT", "HarmfulQA"))
    assert "data/raw/ALERT.parquet" in hashes and params == ["sources.ALERT", "sources.HarmfulQA"]


def test_a_source_that_was_read_again_since_is_said(repository: Path) -> None:
    with pytest.raises(UserError, match="deduplicate was run on an older data/raw; `dvc repro` brings it up to date"):
        made_of(repository, out("data/raw", "another.dir"))


def test_a_folder_that_no_stage_writes_is_an_input(repository: Path) -> None:
    assert made_of(repository, out("src/star1/dedup", "another.dir")) == (LATER, [])
