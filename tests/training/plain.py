"""The training written plainly from the paper: one sequence at a time, no packing, no padding, no tricks. The rival."""

from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from star1.params import load
from star1.training.examples import IGNORED, Example
from star1.training.loop import presentation_order
from star1.training.settings import Training
from tests.imports import ROOT

# Rates high and lengths uneven, so that a wrong mean or a leak between sequences shows in the first steps.
SETTINGS: Training = load(ROOT / "params.yaml").train.model_copy(
    update={"batch": 8, "threads": 1, "learning_rate": 1e-3, "clip": 1.0, "micro_batch_tokens": 40}
)
EXAMPLES = [
    Example(ids := [(7 * i + 3 * j + j * j % 11) % 50 for j in range(5 + 2 * i)], [IGNORED] * 3 + ids[3:])
    for i in range(11)
]


def small_model(family: str, folder: Path) -> Path:
    """Save a model of some thousand parameters, "qwen" (tied, grouped heads) or "llama" (untied); return its folder."""
    torch.manual_seed(0)
    sizes = {
        "vocab_size": 50, "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
        "initializer_range": 0.2,
    }  # fmt: skip
    if family == "qwen":
        Qwen2ForCausalLM(Qwen2Config(**sizes, num_key_value_heads=1, tie_word_embeddings=True)).save_pretrained(folder)
    else:
        LlamaForCausalLM(LlamaConfig(**sizes, num_key_value_heads=2)).save_pretrained(folder)
    return folder


def plain_loop(
    base: Path, examples: list[Example], settings: Training, steps: int, device: str = "cpu", precision: str = "float32"
) -> Iterator[float]:
    """Yield each step's loss: the mean over a sequence's response tokens, then over the sequences; AdamW; cosine.

    A GPU is waited for at each sequence, as the paper's training does for its running mean. precision: of the weights
    and the optimizer's state; on a GPU float32 weights work under bfloat16 autocast.
    """
    torch.set_num_threads(settings.threads)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=getattr(torch, precision)).to(device).train()
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.95), weight_decay=settings.weight_decay
    )
    warm, order = round(settings.warmup * steps), presentation_order(len(examples), settings.seed)
    autocast = device == "cuda" and precision == "float32"
    for step in range(steps):
        whole = torch.tensor(torch.pi * (step - warm) / (steps - warm))
        share = step / warm if step < warm else 0.5 * (1 + torch.cos(whole).item())
        optimizer.param_groups[0]["lr"] = settings.learning_rate * share
        total = 0.0
        for number in islice(order, settings.batch):
            ids = torch.tensor([examples[number].input_ids], device=device)
            labels = torch.tensor([examples[number].labels], device=device)
            with torch.autocast("cuda", torch.bfloat16) if autocast else nullcontext():
                loss = model(input_ids=ids, labels=labels).loss / settings.batch
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
        optimizer.step()
        optimizer.zero_grad()
        yield total
