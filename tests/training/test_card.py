"""The model card: what it says, that no text of the params breaks it, and that its own lines load the model."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st

from star1.params import load
from star1.training.card import card
from tests.imports import ROOT

PARAMS = load(ROOT / "params.yaml")
REVISION = "0123456789abcdef0123456789abcdef01234567"


def written(source: str = "hub", repo: str = "org/model", **of_run: Any) -> str:
    base = PARAMS.base.model_copy(
        update={"source": source, "hub": PARAMS.base.hub.model_copy(update={"repo": repo, "revision": REVISION})}
    )
    run = PARAMS.runs["star1-equal-steps"].model_copy(update=of_run)
    md5 = {"data/star1.parquet": "a" * 32, "data/star1_2k.parquet": "b" * 32}
    return card("star1-equal-steps", base, PARAMS.train, run, md5, "500 rows, 90,000 tokens", 93, 0.12345678)


def test_what_it_says() -> None:
    text = written(note="rows of *1K*")
    assert r"| what it is | rows of \*1K\* |" in text
    assert f"| base model | org/model at revision {REVISION} |" in text
    assert f"| data/star1.parquet | MD5 {'a' * 32} |" in text
    assert f"| data/star1_2k.parquet | MD5 {'b' * 32} |" in text
    assert "| trained on | data/star1.parquet: 500 rows, 90,000 tokens |" in text
    assert "| optimizer steps | 93, as many as 3 times over the rows of data/star1_2k.parquet |" in text
    assert "| loss of the last step | 0.123457 |" in text
    assert "vllm serve models/star1-equal-steps\n" in text
    settings = json.loads(re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)[0])
    assert settings["train"] == PARAMS.train.model_dump()
    assert settings["run"]["note"] == "rows of *1K*"
    data = ModelCard(text).data
    assert (data.base_model, data.library_name, data.pipeline_tag) == ("org/model", "transformers", "text-generation")


def test_a_miniature_base_has_no_page_on_the_hub() -> None:
    text = written("miniature")
    assert ModelCard(text).data.base_model is None
    assert "org/model" not in text and "pretrained from scratch: a toy" in text


TEXT = st.text() | st.lists(
    st.sampled_from(
        ["\n", "---", "```", "# a", "|", "<script>", "&lt;", ": ", "{a", "'", '"', "[x](y)", "\u2028", "\x85", "!!x"]
    )
).map("".join)


@given(note=TEXT, repo=TEXT)
def test_no_text_breaks_it(note: str, repo: str) -> None:
    mild, text = written(note="mild"), written(note=note, repo=repo)
    assert text == written(note=note, repo=repo)
    assert ModelCard(text).data.base_model == repo
    body, mild_body = (whole.partition("\n---\n")[2] for whole in (text, mild))
    assert structure(body) == structure(mild_body)
    assert json.loads(re.findall(r"```json\n(.*?)\n```", body, re.DOTALL)[0])["run"]["note"] == note
    shown = body.partition("## Load it")[0]
    assert re.search(r"(?<!\\)[<>&`\[\]]", shown.replace("\\\\", "")) is None


def structure(markdown: str) -> list[str]:
    """Return the beginning of each line that begins a block: a heading, a table's row, a fence."""
    lines = re.split("[\r\n]", markdown)
    return [re.match(r"[#|`-]+", line)[0] for line in lines if re.match(r"[#|`-]", line)]


def test_its_own_lines_load_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from star1.bases.miniature.pretraining import build_model
    from star1.bases.miniature.tokenizer import train_tokenizer

    tokenizer = train_tokenizer(["How do I bake bread?"] * 9, 300)
    small = PARAMS.base.miniature.model_copy(update={"hidden": 16, "heads": 2, "kv_heads": 1, "mlp": 16, "layers": 1})
    for made in (tokenizer, build_model(small, tokenizer)):
        made.save_pretrained(tmp_path / "models/star1-equal-steps")
    monkeypatch.chdir(tmp_path)
    exec(re.findall(r"```python\n(.*?)```", written("miniature"), re.DOTALL)[0], {})
    assert capsys.readouterr().out.strip()
