"""The training loop against the plain one: one sequence at a time, written from the paper's description."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, Qwen2Config, Qwen2ForCausalLM

from star1.params import Training, load
from star1.training import loop
from star1.training.examples import IGNORED, Example
from tests.imports import ROOT

SETTINGS: Training = load(ROOT / "params.yaml").train.model_copy(
    update={"batch": 6, "threads": 1, "learning_rate": 1e-3, "clip": 1e9, "micro_batch_tokens": 40}
)
EXAMPLES = [
    Example([(7 * i + j) % 50 for j in range(5 + i)], [IGNORED] * 3 + [(7 * i + j) % 50 for j in range(3, 5 + i)])
    for i in range(9)
]


class Tokenizer:
    """Words as numbers of themselves; what `finetune` needs of a tokenizer."""

    eos_token_id = 49

    def save_pretrained(self, folder: Path) -> None:
        """Nothing to save."""


@pytest.fixture
def base(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, tie_word_embeddings=True, initializer_range=0.2,
    )  # fmt: skip
    Qwen2ForCausalLM(config).save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def plain_loop(base: Path, steps: int) -> list[float]:
    """Mean over each sequence's response tokens, then over the step's sequences; AdamW; cosine with warm-up."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=SETTINGS.learning_rate, betas=(0.9, 0.95), weight_decay=1e-4)
    warm = round(SETTINGS.warmup * steps)
    order, losses = loop.presentation_order(len(EXAMPLES), SETTINGS.seed), []
    for step in range(steps):
        rate = (
            step / warm
            if step < warm
            else 0.5 * (1 + torch.cos(torch.tensor(torch.pi * (step - warm) / (steps - warm))).item())
        )
        optimizer.param_groups[0]["lr"] = SETTINGS.learning_rate * rate
        total = torch.zeros(())
        for _ in range(SETTINGS.batch):
            example = EXAMPLES[next(order)]
            output = model(input_ids=torch.tensor([example.input_ids]), labels=torch.tensor([example.labels]))
            total = total + output.loss / SETTINGS.batch
        total.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(total.item())
    return losses


@pytest.mark.parametrize("micro_batch_tokens", [1, 40, 10_000])
def test_losses_are_the_plain_loop_s(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, micro_batch_tokens: int
) -> None:
    monkeypatch.setattr(loop, "encode_all", lambda *_: EXAMPLES)
    monkeypatch.setattr(loop.AutoTokenizer, "from_pretrained", lambda *_: Tokenizer())
    settings = SETTINGS.model_copy(update={"micro_batch_tokens": micro_batch_tokens})
    seen: list[loop.Curve] = []
    curve = loop.finetune(base, [], tmp_path / "out", settings, 20, seen.append)
    assert [point.loss for point in curve] == pytest.approx(plain_loop(base, 20), abs=1e-5)
    assert seen == curve
    assert curve[-1].loss < curve[0].loss
    AutoModelForCausalLM.from_pretrained(tmp_path / "out")


def test_sequences_weigh_alike_whatever_their_length() -> None:
    logits = torch.randn(2, 6, 50)
    labels = torch.tensor([[1, 2, IGNORED, IGNORED, IGNORED, IGNORED], [IGNORED, IGNORED, 3, 4, 5, 6]])
    losses, accuracies = loop.sequence_means(logits, labels)
    assert losses[0].item() == pytest.approx(-logits[0, 0].log_softmax(-1)[2].item(), abs=1e-5)
    assert losses[1].item() == pytest.approx(
        -sum(logits[1, t].log_softmax(-1)[t + 2].item() for t in range(1, 5)) / 4, abs=1e-5
    )
    assert accuracies.shape == (2,)


@pytest.mark.parametrize(("rows", "epochs", "batch", "steps"), [(1000, 5, 128, 39), (500, 3, 32, 46), (3, 1, 32, 1)])
def test_steps(rows: int, epochs: float, batch: int, steps: int) -> None:
    assert loop.steps_for(rows, epochs, batch) == steps


def test_every_epoch_shows_every_row_once_in_its_own_order() -> None:
    order = loop.presentation_order(7, 2002)
    epochs = [[next(order) for _ in range(7)] for _ in range(3)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert epochs[0] != epochs[1]
