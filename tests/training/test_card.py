"""The model card: what it says, that no text of the params breaks it, and that its own lines load the model."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from star1.params import load
from star1.training.card import card
from tests.imports import ROOT

PARAMS = load(ROOT / "params.yaml")


def written(**of_run: Any) -> str:
    run = PARAMS.runs["star1-equal-steps"].model_copy(update=of_run)
    md5 = {"data/star1.parquet": "a" * 32, "data/star1_2k.parquet": "b" * 32}
    return card("star1-equal-steps", PARAMS.train, run, md5, "500 rows, 90,000 tokens", 93, 0.12345678)


def test_what_it_says() -> None:
    text = written()
    assert "| base model | models/miniature; `bases.miniature` in params.yaml says where that comes from |" in text
    assert f"| data/star1.parquet | MD5 {'a' * 32} |" in text
    assert f"| data/star1_2k.parquet | MD5 {'b' * 32} |" in text
    assert "| trained on | data/star1.parquet: 500 rows, 90,000 tokens |" in text
    assert "| optimizer steps | 93, as many as 5 times over the rows of data/star1_2k.parquet |" in text
    assert "| loss of the last step | 0.123457 |" in text
    assert "vllm serve models/star1-equal-steps\n" in text
    settings = json.loads(re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)[0])
    assert settings["train"] == PARAMS.train.model_dump()
    assert settings["run"]["base"] == "miniature"
    data = ModelCard(text).data
    assert (data.base_model, data.library_name, data.pipeline_tag) == (None, "transformers", "text-generation")


def test_its_own_lines_load_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from star1.bases.miniature.pretraining import build_model
    from star1.bases.miniature.tokenizer import build_tokenizer

    tokenizer = build_tokenizer(["How do I bake bread?"])
    small = PARAMS.bases["miniature"].model_copy(
        update={"hidden": 16, "heads": 2, "kv_heads": 1, "mlp": 16, "layers": 1}
    )
    for made in (tokenizer, build_model(small, tokenizer)):
        made.save_pretrained(tmp_path / "models/star1-equal-steps")
    monkeypatch.chdir(tmp_path)
    exec(re.findall(r"```python\n(.*?)```", written(), re.DOTALL)[0], {})
    assert capsys.readouterr().out.strip()
