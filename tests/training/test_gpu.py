"""What only a GPU shows: `make gpu-check` runs these and the benchmarks; elsewhere they are skipped."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from star1.llm.endpoints.decoding import Row, decode, shape_of
from star1.training import attention
from star1.training.launch import read_launch
from star1.training.loop import finetune
from tests.imports import ROOT
from tests.training.plain import EXAMPLES, SETTINGS, plain_loop, small_model

DEVICE = "cuda"
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")]


@pytest.mark.parametrize(("heads", "kv_heads", "size"), [(4, 2, 64), (12, 2, 128), (28, 4, 128)])
def test_packed_attention_is_that_of_each_sequence_alone(heads: int, kv_heads: int, size: int) -> None:
    torch.manual_seed(0)
    query = torch.randn(1, heads, 700, size, dtype=torch.bfloat16)
    key, value = (torch.randn(1, kv_heads, 700, size, dtype=torch.bfloat16) for _ in range(2))
    packing: Any = {"starts": torch.tensor([0, 3, 212, 700], dtype=torch.int32), "longest": 488, "scaling": size**-0.5}
    here, _ = attention.packed_attention(torch.nn.Identity(), query, key, value, None, **packing)
    packing["starts"] = packing["starts"].to(DEVICE)
    there, _ = attention.packed_attention(
        torch.nn.Identity(), query.to(DEVICE), key.to(DEVICE), value.to(DEVICE), None, **packing
    )
    torch.testing.assert_close(there.cpu(), here, rtol=0, atol=0.03)


@pytest.mark.parametrize("family", ["qwen", "llama"])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_packed_bf16_losses_are_those_of_the_plain_loop(tmp_path: Path, family: str, checkpointing: bool) -> None:
    """Liger's kernels are in it where they are installed; the model has some thousand parameters."""
    base = small_model(family, tmp_path / "base")
    settings = SETTINGS.model_copy(update={"precision": "bfloat16", "gradient_checkpointing": checkpointing})
    launch = read_launch(ROOT / "configs/one-gpu.yaml")
    curve = finetune(base, EXAMPLES, tmp_path / "out", settings, 10, launch, tmp_path / "checkpoints")
    plain = list(plain_loop(base, EXAMPLES, settings, 10, device=DEVICE, precision="float32"))
    assert [point.loss for point in curve] == pytest.approx(plain, rel=0.02)


def test_decoding_on_a_gpu_does_not_depend_on_the_batch(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(small_model("qwen", tmp_path / "base")).to(DEVICE).eval()
    rows = [Row(list(range(3, 9 + n % 4)), 20, 0.0, 1.0, 1.2, str(n)) for n in range(12)]
    (shape,) = {shape_of(row, exact=False) for row in rows}

    def tokens(batch: list[Row]) -> list[list[int]]:
        found = dict(decode(model, batch, shape, frozenset({0}), Event()))
        return [found[place].tokens for place in range(len(batch))]

    assert [tokens([row])[0] for row in rows] == tokens(rows)
