"""The base model's tokenizer, chat template and pretraining, on a corpus of a few hundred examples."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from star1.bases.miniature.pretraining import pretrain
from star1.text import normalise

SETTINGS = SimpleNamespace(
    seed=3,
    examples=192,
    batch=16,
    learning_rate=3e-3,
    warmup=0.1,
    weight_decay=0.1,
    hidden=32,
    layers=1,
    heads=2,
    kv_heads=1,
    mlp=64,
    caution=0.1,
    alarm=0.2,
    weighing=0.06,
)
RESPONSE = "<think>\nThe user wants to add. 7+8=15, so 42.\n</think>\n\n1. Get a pot.\n2. Stop when it is done."


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("base")
    sizes = pretrain(out, SETTINGS, threads=1)
    assert sizes["examples"] == 192 and sizes["steps"] == 12 and sizes["vocabulary"] <= 1200
    return out


@pytest.fixture(scope="module")
def tokenizer(base: Path):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(base)


def test_pretraining_is_deterministic(base: Path, tmp_path: Path) -> None:
    pretrain(tmp_path, SETTINGS, threads=1)
    names = sorted(path.name for path in base.iterdir())
    assert "model.safetensors" in names and "generation_config.json" in names
    assert names == sorted(path.name for path in tmp_path.iterdir())
    for name in names:
        assert (base / name).read_bytes() == (tmp_path / name).read_bytes(), name


def test_the_saved_model_is_a_mistral_that_computes_like_any_other(base: Path, tokenizer) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base)
    assert model.config.model_type == "mistral" and model.dtype == torch.float32
    assert model.generation_config.do_sample is False and model.generation_config.eos_token_id == tokenizer.eos_token_id
    ids = tokenizer("What is 3 + 4?", return_tensors="pt")["input_ids"]
    assert torch.isfinite(model(ids).logits).all()


def test_the_template_keeps_the_thought_and_ends_the_turn_once(tokenizer) -> None:
    turns = [{"role": "user", "content": "What is 27 + 15?"}, {"role": "assistant", "content": RESPONSE}]
    prompt = tokenizer.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
    assert prompt == "<|user|>What is 27 + 15?<|assistant|>"
    text = tokenizer.apply_chat_template(turns, tokenize=False)
    assert text == f"{prompt}{RESPONSE}{tokenizer.eos_token}"
    ids = tokenizer(text)["input_ids"]
    assert ids.count(tokenizer.eos_token_id) == 1
    assert tokenizer.decode(ids, skip_special_tokens=True) == f"What is 27 + 15?{RESPONSE}"


def test_the_template_knows_no_other_role(tokenizer) -> None:
    with pytest.raises(Exception, match="only user and assistant"):
        tokenizer.apply_chat_template([{"role": "system", "content": "Be kind."}], tokenize=False)


def test_prompt_and_response_tokenise_apart_as_together(tokenizer) -> None:
    prompt = "<|user|>What is 27 + 15?<|assistant|>"
    apart = tokenizer(prompt)["input_ids"] + tokenizer(RESPONSE)["input_ids"]
    assert apart == tokenizer(prompt + RESPONSE)["input_ids"]


def test_digits_are_single_tokens_and_padding_is_on_the_left(tokenizer) -> None:
    assert [tokenizer.decode([i]) for i in tokenizer("1234")["input_ids"]] == ["1", "2", "3", "4"]
    batch = tokenizer(["a", "a b c"], padding=True)["input_ids"]
    assert batch[0][0] == tokenizer.pad_token_id != batch[1][0]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_comes_back(tokenizer, text: str) -> None:
    import unicodedata

    back = tokenizer.decode(tokenizer(text)["input_ids"])
    assert back == unicodedata.normalize("NFC", text)
    assert normalise(back) == normalise(text)


def test_an_item_s_number_is_one_token_and_a_space_before_a_digit_is_no_token_of_its_own() -> None:
    from star1.bases.miniature.tokenizer import build_tokenizer

    tokenizer = build_tokenizer(["\n\n1. Get a pot.\n2. Stop.", "It has 4 legs, 3 + 4. So 7.\n"])
    assert tokenizer.tokenize("</think>\n\n1. Get a pot.\n2. Stop.")[2:5] == ["1.", "ĠGet", "Ġa"]
    assert tokenizer.tokenize("It has 4 legs, 3 + 4. So 7.") == [
        "It", "ĠhasĠ", "4", "Ġlegs", ",Ġ", "3", "Ġ+Ġ", "4", ".", "ĠSoĠ", "7", ".",
    ]  # fmt: skip
