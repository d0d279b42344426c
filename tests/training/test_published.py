"""Rows of STAR-1 as its authors publish them train unchanged."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from transformers import AutoTokenizer, MistralConfig, MistralForCausalLM

from star1.bases.miniature.corpus import examples
from star1.bases.miniature.tokenizer import build_tokenizer
from star1.params import load
from star1.training.examples import IGNORED, encode_all, truncated
from star1.training.launch import read_launch
from star1.training.loop import finetune
from star1.training.rows import training_rows
from star1.training.settings import Run
from tests.imports import ROOT

PARAMS = load(ROOT / "params.yaml")
FULL = Run(
    data="star1",
    score=None,
    sample=None,
    epochs=1,
    steps_of="star1",
    think="full",
    base="miniature",
    launch="cpu",
    train={},
)


@pytest.fixture(scope="module")
def published(real_files: Path) -> pd.DataFrame:
    return pd.DataFrame(json.loads((real_files / "published/star-1-sample-400.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A miniature tokenizer, and a Mistral model of some thousand parameters that has learned nothing."""
    folder = tmp_path_factory.mktemp("models") / "base"
    texts = [text for row in examples(100, 0, 0.1, 0.1, 0.1) for text in (row.question, row.thought, row.answer)]
    tokenizer = build_tokenizer(texts)
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=len(tokenizer), hidden_size=8, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=True, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    model = MistralForCausalLM(config)
    assert model.num_parameters() < 10_000
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_every_thought_is_learned(published: pd.DataFrame, base: Path) -> None:
    rows = training_rows(published, FULL, 0)
    assert rows == list(zip(published["question"], published["response"], strict=True))
    tokenizer = AutoTokenizer.from_pretrained(base)
    made = encode_all(tokenizer, rows, PARAMS.train.max_tokens)
    learned = [tokenizer.decode([label for label in row.labels if label != IGNORED]) for row in made]
    thoughts = [response.partition("</think>")[0] for response in published["response"]]
    assert sum(thought in text for thought, text in zip(thoughts, learned, strict=True)) == len(published) == 400
    assert truncated(made) == (0, 0)


def test_an_epoch(published: pd.DataFrame, base: Path, tmp_path: Path) -> None:
    settings = PARAMS.train.model_copy(update={"batch": 40, "threads": 1, "learning_rate": 0.01})
    made = encode_all(AutoTokenizer.from_pretrained(base), training_rows(published, FULL, 0), settings.max_tokens)
    launch = read_launch(ROOT / "configs" / "cpu.yaml")
    curve = finetune(base, made, tmp_path / "out", settings, 10, launch, tmp_path / "checkpoints")
    assert [point.step for point in curve] == list(range(1, 11))
    assert curve[-1].loss < curve[0].loss
    before, after = (MistralForCausalLM.from_pretrained(folder).state_dict() for folder in (base, tmp_path / "out"))
    assert any(not torch.equal(before[name], after[name]) for name in before)
