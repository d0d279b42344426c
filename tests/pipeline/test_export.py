"""`star1 export` of what a tiny pipeline built: read back as published rows, by `datasets`, and by transformers."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from star1.errors import UserError
from star1.export import export
from star1.params import load_raw
from star1.sources.entries import PublishedEntry
from star1.sources.published import read_published
from tests.conftest import edit_params, run


def test_star1_comes_back_as_published_rows(built_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = export(built_once, "star1", tmp_path / "out")
    assert said == "24 rows with id, question, response, category, source, score"
    written = pd.read_parquet(built_once / "data/star1.parquet")
    categories = load_raw(built_once / "params.yaml")["categories"]
    for kind in ("json", "parquet"):
        entry = PublishedEntry(reader=kind, path=f"out/star1.{kind}")
        back = read_published("own", entry, tmp_path, categories)
        assert back["id"].tolist() == back["published_id"].tolist() == written["id"].tolist()
        for column in ("question", "response", "thinking", "answer", "source", "score"):
            assert back[column].tolist() == written[column].tolist()
        assert back["category"].tolist() == [list(names) for names in written["category"]]

    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf/datasets"))
    from datasets import load_dataset

    rows = load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "hf/datasets"))
    assert rows.to_list() == json.loads((tmp_path / "out/star1.json").read_text())
    card = (tmp_path / "out/README.md").read_text()
    assert "| ALERT | " in card and "The teachers were simulated" in card and "| data/collection.parquet | " in card


def test_the_form_is_that_of_the_authors(built_once: Path, tmp_path: Path, real_files: Path) -> None:
    export(built_once, "star1", tmp_path / "out")
    ours = json.loads((tmp_path / "out/star1.json").read_text())
    theirs = json.loads((real_files / "published/star-1-sample-400.json").read_text(encoding="utf-8"))

    def form(row: dict[str, Any]) -> list[Any]:
        return [(name, type(value)) for name, value in row.items()] + [list(row["score"])]

    assert {str(form(row)) for row in ours} == {str(form(theirs[0]))}
    assert {name for row in ours for name in row["category"]} <= {name for row in theirs for name in row["category"]}
    pattern = re.compile(r"<think>\n.+\n</think>\n\n.+", re.S)
    assert all(pattern.fullmatch(row["response"]) for row in ours + theirs)


def test_a_model_can_be_loaded_and_says_where_it_comes_from(built_once: Path, tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoTokenizer

    folder = tmp_path / "model"
    run(built_once, "star1", "export", "models/star1", "--to", str(folder))
    assert AutoConfig.from_pretrained(folder).model_type == "mistral"
    assert len(AutoTokenizer.from_pretrained(folder)) > 100
    card = (folder / "README.md").read_text()
    lock = load_raw(built_once / "dvc.lock")["stages"]
    for name, path in (("select", "data/star1.parquet"), ("base@miniature", "models/miniature")):
        (md5,) = [out["md5"] for out in lock[name]["outs"] if out["path"] == path]
        assert f"| {path} | {md5} |" in card
    assert card.startswith("---\n") and "base_url" in card and "http" not in card.partition("## Where")[2]


def test_what_cannot_be_exported_is_a_line(built: Path, tmp_path: Path) -> None:
    def refused(name: str, folder: Path = tmp_path / "out") -> str:
        with pytest.raises(UserError) as caught:
            export(built, name, folder)
        assert not (tmp_path / "out").exists() and "\n" not in str(caught.value)
        return str(caught.value)

    assert refused("star2").startswith("export: no 'star2'; data sets are star1, star_benign, star1_2k, scored, models")
    assert "is there and not empty" in refused("star1", built)
    (built / "models/star1/README.md").write_text("edited")
    assert refused("models/star1").startswith("models/star1: not as dvc.lock has it; `dvc checkout models/star1`")
    (built / "data/star1.parquet").unlink()
    assert refused("star1").startswith("data/star1.parquet: not here; `dvc pull data/star1.parquet`")
    edit_params(built, lambda params: params["runs"].update({"new": dict(params["runs"]["star1"])}))
    (built / "models/new").mkdir()
    assert refused("models/new").startswith("models/new: dvc.lock has no stage that wrote it")


def test_artifacts_are_fetched_by_name(built: Path, tmp_path: Path) -> None:
    for name, path in (("star1", "data/star1.parquet"), ("model", "models/star1")):
        run(built, "git", "-c", "user.name=t", "-c", "user.email=t@localhost", "tag", "-am", "first", f"{name}@v1.0.0")
        target = tmp_path / name
        run(tmp_path, "dvc", "artifacts", "get", "-o", str(target), str(built), name)
        files = [built / path] if target.is_file() else sorted((built / path).iterdir())
        got = [target] if target.is_file() else sorted(target.iterdir())
        assert [file.read_bytes() for file in got] == [file.read_bytes() for file in files]
