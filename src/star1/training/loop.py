"""The fine-tuning loop: full parameters, AdamW, cosine with warm-up, the paper's loss.

The loss of an optimizer step is the mean over each sequence's response tokens first, then over the step's sequences
(paper, Training). It is the same number however the step is laid into rows or spread over ranks.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from tqdm.auto import tqdm
from transformers import set_seed
from transformers.utils.logging import disable_progress_bar

from star1.errors import UserError
from star1.training import checkpoints as kept
from star1.training.engine import Engine, accelerator_for
from star1.training.examples import Example
from star1.training.launch import Launch, check_world
from star1.training.memory import largest_row, read_shape, require_fit
from star1.training.optimizer import learning_rate
from star1.training.packing import lay_out, tensors

if TYPE_CHECKING:
    from star1.training.settings import Training

CHECKPOINT_S = 300.0  # seconds between checkpoints, unless STAR1_CHECKPOINT_S says otherwise


@dataclass(frozen=True)
class Curve:
    """Figures of one optimizer step; `loss` and `token_accuracy` are means over the step's sequences."""

    step: int
    loss: float
    token_accuracy: float
    learning_rate: float
    gradient_norm: float


@dataclass(frozen=True)
class Speed:
    """Speed of one optimizer step: tokens a second over all ranks, and the first rank's peak of device memory."""

    tokens_per_s: float
    memory_gib: float


Log = Callable[[Curve, Speed], None]
Finish = Callable[[list[Curve]], None]


def steps_for(rows: int, epochs: float, batch: int) -> int:
    """Return the number of optimizer steps; 1,000 rows, 5 epochs and 128 a step make the paper's 39."""
    return max(1, int(round(rows * epochs, 6)) // batch)  # 100 rows, 0.29 epochs: 28.999999999999996


def finetune(
    base: Path,
    examples: list[Example],
    out: Path,
    settings: "Training",
    steps: int,
    launch: Launch,
    checkpoints: Path,
    log: Log = lambda curve, speed: None,
    finish: Finish = lambda curve: None,
) -> list[Curve]:
    """Fine-tune `base` on tokenised rows for `steps` optimizer steps; write the model to `out`.

    Every rank calls this; the main one logs, saves, and calls `finish` with the curve before the checkpoints go. A run
    that was stopped goes on from its last checkpoint below `checkpoints`. Returns the curve, one entry a step. Raises
    UserError where the launch does not fit the batch, the device's memory is too small (where that is certain, before
    weights are loaded), or the loss is not finite.
    """
    check_world(launch, settings.batch)
    checkpoint_interval()  # a wrong value is found before weights are loaded
    shape = read_shape(base)
    set_seed(settings.seed)
    disable_progress_bar()  # of the loading of weights; the loop has its own
    accelerator = accelerator_for(launch, settings)
    lengths = [len(example.input_ids) for example in examples]
    row = largest_row(lengths, presentation_order(len(examples), settings.seed), launch, settings, steps)
    require_fit(accelerator, launch, settings, shape, row, max(lengths))
    folder = checkpoints / kept.run_key(base, examples, settings, steps)
    try:
        with kept.held(folder, accelerator.is_main_process):
            engine = Engine(accelerator, launch, base, settings)
            curve = run(engine, examples, settings, steps, folder, log)
            engine.save(out)
            if accelerator.is_main_process:
                finish(curve)
    except torch.OutOfMemoryError as error:
        raise UserError(
            f"the device's memory is too small ({str(error).split('.')[0]}): lower train.micro_batch_tokens, set "
            "train.gradient_checkpointing, or choose another launch; `star1 estimate train` says what fits."
        ) from None
    return curve


def run(
    engine: Engine, examples: list[Example], settings: "Training", steps: int, folder: Path, log: Log
) -> list[Curve]:
    """Take the optimizer steps that are left to take, with checkpoints in `folder`; return the whole curve."""
    curve = [Curve(**point) for point in kept.resume(folder, engine)]
    order = islice(presentation_order(len(examples), settings.seed), len(curve) * settings.batch, None)
    main = engine.accelerator.is_main_process
    every = checkpoint_interval()
    saved = time.monotonic()
    with tqdm(total=steps, initial=len(curve), desc="train", unit="step", disable=None if main else True) as bar:
        for step in range(len(curve) + 1, steps + 1):
            began = time.monotonic()
            numbers = list(islice(order, settings.batch))
            rate = learning_rate(step, steps, settings.learning_rate, settings.warmup)
            # The first rank's clock decides for all.
            due = main and began - saved >= every and step > 1
            point, due = optimizer_step(engine, [examples[n] for n in numbers], numbers, step, rate, settings, due)
            curve.append(point)
            bar.set_postfix_str(f"loss {point.loss:.4f}", refresh=False)
            bar.update()
            if main:
                tokens = sum(len(examples[n].input_ids) for n in numbers)
                log(point, Speed(tokens / (time.monotonic() - began), _peak_memory_gib(engine)))
            if due and step < steps:
                kept.save(folder, engine, curve)
                saved = time.monotonic()
    return curve


def checkpoint_interval() -> float:
    """Return the seconds between two checkpoints. Raises UserError where STAR1_CHECKPOINT_S is no number."""
    given = os.environ.get("STAR1_CHECKPOINT_S", str(CHECKPOINT_S))
    try:
        return float(given)
    except ValueError:
        raise UserError(f"STAR1_CHECKPOINT_S is {given!r}; it must be a number of seconds.") from None


def presentation_order(rows: int, seed: int) -> Iterator[int]:
    """Yield row numbers without end, every epoch in a fresh order drawn from `seed`."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from torch.randperm(rows, generator=generator).tolist()


def optimizer_step(
    engine: Engine,
    batch: list[Example],
    numbers: list[int],
    step: int,
    rate: float,
    settings: "Training",
    due: bool = False,
) -> tuple[Curve, bool]:
    """Take one step over `batch`, the sequences of all ranks, rows `numbers` of the data; say what it showed.

    `due` comes back true on every rank if it was true on one.
    """
    device = engine.accelerator.device
    lengths = [len(example.input_ids) for example in batch]
    rows = lay_out(lengths, settings.micro_batch_tokens, engine.ranks, engine.packed)[engine.rank]
    seen = torch.zeros(2, len(batch) + 1, device=device)
    seen[0, -1] = due
    for number, row in enumerate(rows, 1):
        # Gradients are averaged over ranks; times their number makes the sum over the step's sequences.
        losses, accuracies = engine.backward(
            tensors([batch[i] for i in row], engine.packed, device), engine.ranks / len(batch), number == len(rows)
        )
        seen[:, row] = torch.stack([losses, accuracies])
    losses, accuracies = engine.accelerator.reduce(seen, "sum").tolist()
    due = losses.pop() > 0
    accuracies.pop()
    if odd := [numbers[i] for i, loss in enumerate(losses) if not isfinite(loss)]:
        raise UserError(
            f"step {step}: the loss of row {', '.join(map(str, odd[:8]))} of the training data is not finite at "
            f"learning rate {rate:.3g}; lower train.learning_rate or train.clip, or look at those rows."
        )
    norm = engine.step(rate)
    return Curve(step, sum(losses) / len(batch), sum(accuracies) / len(batch), rate, norm), due


def _peak_memory_gib(engine: Engine) -> float:
    if engine.accelerator.device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    from resource import RUSAGE_SELF, getrusage

    return getrusage(RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
