"""Bases of other families: the loss is the model's own, or the base is refused; so is one that is not whole."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from stages.base import base
from star1.errors import UserError
from star1.params import load as load_params
from star1.pipeline.stage import Stage
from star1.training.attention import PACKED
from star1.training.engine import load
from star1.training.examples import Example
from star1.training.loss import SequenceLoss
from star1.training.packing import tensors
from tests.conftest import edit_params
from tests.imports import ROOT
from tests.training.families import tokenizer_of
from tests.training.plain import small_model

CPU = torch.device("cpu")
SIZES = {"vocab_size": 60, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2}
SIZES |= {"num_attention_heads": 4, "num_key_value_heads": 2, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def tiny(family: Any, config: Any, **more: Any) -> Any:
    torch.manual_seed(0)
    model = family(config(**SIZES, **more)).eval()
    with torch.no_grad():  # at the usual size of fresh weights every token is as likely as any other
        for weight in model.parameters():
            weight *= 5 if weight.dim() > 1 else 1
    return model


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("family", "config", "more"),
    [
        (Qwen2ForCausalLM, Qwen2Config, {}),
        (LlamaForCausalLM, LlamaConfig, {}),
        (MistralForCausalLM, MistralConfig, {"sliding_window": 8}),
        (MistralForCausalLM, MistralConfig, {"sliding_window": 400}),
    ],
)
def test_the_loss_of_a_sequence_is_the_model_s_own(packed: bool, family: Any, config: Any, more: Any) -> None:
    model = tiny(family, config, **more)
    examples = []
    for length, prompt in ((60, 20), (35, 10)):
        ids = torch.randint(3, 60, (length,)).tolist()
        examples.append(Example(ids, [-100] * prompt + ids[prompt:]))
    own = [
        model(input_ids=torch.tensor([each.input_ids]), labels=torch.tensor([each.labels])).loss for each in examples
    ]
    model.set_attn_implementation(PACKED if packed else "sdpa")
    _, losses, _, _ = SequenceLoss(model)(tensors(examples, packed, CPU))
    torch.testing.assert_close(losses, torch.stack(own), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("family", "config", "name"),
    [
        (GraniteForCausalLM, GraniteConfig, "logits_scaling"),
        (CohereForCausalLM, CohereConfig, "logit_scale"),
        (Gemma2ForCausalLM, Gemma2Config, "final_logit_softcapping"),
    ],
)
def test_a_base_whose_logits_are_changed_behind_the_head_is_refused(family: Any, config: Any, name: str) -> None:
    more = {"logits_scaling": 8.0} if name == "logits_scaling" else {}
    with pytest.raises(UserError, match=rf"scales or caps its logits \({name}\)"):
        SequenceLoss(tiny(family, config, **more))


def test_a_base_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    settings: Any = load_params(ROOT / "params.yaml").train
    tiny(Qwen2ForCausalLM, Qwen2Config).save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    weights = load_file(file)
    save_file({name: value for name, value in weights.items() if "layers.1.mlp" not in name}, file, {"format": "pt"})
    with pytest.raises(UserError, match=r"3 weights are missing, such as model\.layers\.1\.mlp\.down_proj\.weight"):
        load(tmp_path, settings, False, CPU)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match="no whole model"):
        load(tmp_path, settings, False, CPU)


def cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


INDEX = "model.safetensors.index.json"
BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "an adapter": (lambda folder: (folder / "config.json").unlink(), "no model in the transformers layout"),
    "no weights": (lambda folder: (folder / "model.safetensors").unlink(), "no model in the transformers layout"),
    "a part of the weights is missing": (
        lambda folder: (folder / INDEX).write_text('{"weight_map": {"a": "second.safetensors"}}'),
        "second.safetensors is missing, which model.safetensors.index.json names",
    ),
    "no index": (lambda folder: (folder / INDEX).write_text("[]"), "is no index of weights"),
    "weights cut off": (cut, "model.safetensors is not whole"),
    "no tokenizer": (lambda folder: (folder / "tokenizer.json").unlink(), "its tokenizer cannot be read"),
    "half a tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{"), "its tokenizer cannot be read"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_stage_base_refuses_a_model_that_is_not_whole(root: Path, how: str) -> None:
    """Of any source, and not as late as the training, when the teachers have been paid."""
    folder = root / "data/own/model"
    small_model("qwen", folder)
    tokenizer_of("qwen-instruct").save_pretrained(folder)
    edit_params(root, lambda params: params["bases"].update(mine={"source": "folder", "path": "data/own/model"}))
    stage = Stage("base", ("mine",), root)
    base(stage, "mine")
    break_it, message = BROKEN[how]
    break_it(folder)
    with pytest.raises(UserError, match=f"^bases.mine: .*{re.escape(message)}"):
        base(stage, "mine")
    assert (root / "models/mine/model.safetensors").is_file(), "what was there is kept until the new one is whole"
