"""The training loop against the plain one, and what it promises: packing, precision, non-finite losses."""

import os
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from star1.errors import UserError
from star1.training import engine, loop
from star1.training.examples import Example
from star1.training.launch import read_launch
from star1.training.settings import Training
from tests.imports import ROOT
from tests.training.plain import EXAMPLES, SETTINGS, plain_loop, small_model

CPU = read_launch(ROOT / "configs" / "cpu.yaml")


def losses(
    base: Path, folder: Path, steps: int = 20, examples: list[Example] = EXAMPLES, **changes: object
) -> list[float]:
    """Train and return the losses, with some settings changed."""
    settings: Training = SETTINGS.model_copy(update=changes)
    curve = loop.finetune(base, examples, folder / "out", settings, steps, CPU, folder / "checkpoints")
    return [point.loss for point in curve]


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("micro_batch_tokens", [1, 40, 10_000])
@pytest.mark.parametrize("family", ["qwen", "llama"])
def test_losses_are_the_plain_loop_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, packed: bool, micro_batch_tokens: int
) -> None:
    monkeypatch.setattr(engine, "packs", lambda *_: packed)
    base = small_model(family, tmp_path / "base")
    ours = losses(base, tmp_path, micro_batch_tokens=micro_batch_tokens)
    assert ours == pytest.approx(list(plain_loop(base, EXAMPLES, SETTINGS, 20)), abs=1e-5)
    assert ours[-1] < ours[1]
    AutoModelForCausalLM.from_pretrained(tmp_path / "out")


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
def test_gradient_checkpointing_changes_no_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool) -> None:
    monkeypatch.setattr(engine, "packs", lambda *_: packed)
    base = small_model("qwen", tmp_path / "base")
    assert losses(base, tmp_path, 5, gradient_checkpointing=True) == losses(base, tmp_path, 5)


def test_bfloat16_weights_learn_through_their_float32_master(tmp_path: Path) -> None:
    """A thousand rates of 1e-5 are lost in bf16 weights; with the master copy the losses stay near float32's."""
    base = small_model("qwen", tmp_path / "base")
    exact = losses(base, tmp_path, 60, learning_rate=2e-4)
    assert losses(base, tmp_path, 60, learning_rate=2e-4, precision="bfloat16") == pytest.approx(exact, abs=0.05)
    assert exact[0] - exact[-1] > 0.25
    saved = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    assert saved.dtype == torch.bfloat16


def test_a_loss_that_is_not_finite_names_step_row_and_rate(tmp_path: Path) -> None:
    base = small_model("llama", tmp_path / "base")
    model = AutoModelForCausalLM.from_pretrained(base)
    with torch.no_grad():
        model.get_input_embeddings().weight[49] = torch.inf
    model.save_pretrained(base)
    healthy = [Example([i % 49 for i in e.input_ids], e.labels) for e in EXAMPLES]
    odd = [*healthy[:4], Example([49, *healthy[4].input_ids[1:]], healthy[4].labels), *healthy[5:]]
    with pytest.raises(UserError, match=r"step 1: the loss of row 4 of the training data .* learning rate 0\.001"):
        losses(base, tmp_path, 2, odd, batch=11, warmup=0.0)


def test_a_run_that_dies_while_its_card_is_written_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base, settings = small_model("qwen", tmp_path / "base"), SETTINGS
    monkeypatch.setenv("STAR1_CHECKPOINT_S", "0")
    taken: list[int] = []

    def train(finish: loop.Finish) -> list[loop.Curve]:
        taken.clear()
        places = tmp_path / "out", settings, 5, CPU, tmp_path / "checkpoints"
        return loop.finetune(base, EXAMPLES, *places, lambda point, speed: taken.append(point.step), finish)

    def full(curve: list[loop.Curve]) -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        train(full)
    seen: list[list[loop.Curve]] = []
    whole = train(seen.append)
    assert taken == [5] and [point.step for point in whole] == [1, 2, 3, 4, 5]
    assert seen == [whole]
    assert not any((tmp_path / "checkpoints").iterdir())


def test_what_is_renamed_into_place_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a power cut leaves a checkpoint or a model with the right name and nothing in it."""
    synced: set[int] = set()
    monkeypatch.setattr(os, "fsync", lambda opened: synced.add(os.fstat(opened).st_ino))
    rename, renamed = Path.rename, []

    def watched(path: Path, target: Path) -> Path:
        left_out = [file.name for file in path.rglob("*") if file.stat().st_ino not in synced]
        assert not left_out
        renamed.append(target.name)
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", watched)
    monkeypatch.setenv("STAR1_CHECKPOINT_S", "0")
    losses(small_model("qwen", tmp_path / "base"), tmp_path, 3)
    assert renamed == ["step-00000002", "out"]


def test_an_interval_that_is_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAR1_CHECKPOINT_S", "5 minutes")
    with pytest.raises(UserError, match="STAR1_CHECKPOINT_S is '5 minutes'; it must be a number of seconds"):
        losses(tmp_path / "absent", tmp_path)


@pytest.mark.parametrize(
    ("rows", "epochs", "batch", "steps"), [(1000, 5, 128, 39), (500, 3, 32, 46), (3, 1, 32, 1), (100, 0.29, 1, 29)]
)
def test_steps(rows: int, epochs: float, batch: int, steps: int) -> None:
    assert loop.steps_for(rows, epochs, batch) == steps


def test_every_epoch_shows_every_row_once_in_its_own_order() -> None:
    order = loop.presentation_order(7, 2002)
    epochs = [[next(order) for _ in range(7)] for _ in range(3)]
    assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
    assert epochs[0] != epochs[1]
