"""A training in a process of its own, to be killed; imported once by the fork server, so that a start takes no time."""

import os
import shutil
from pathlib import Path

from star1.training.launch import read_launch
from star1.training.loop import finetune
from tests.imports import ROOT
from tests.training.plain import EXAMPLES, SETTINGS

STEPS = 800


def train(base: Path, out: Path, checkpoints: Path, every_s: float) -> None:
    """Train `base` into `out` with a checkpoint every `every_s` seconds."""
    os.environ["STAR1_CHECKPOINT_S"] = str(every_s)
    shutil.rmtree(out, ignore_errors=True)  # as DVC does before it runs a stage
    finetune(base, EXAMPLES, out, SETTINGS, STEPS, read_launch(ROOT / "configs" / "cpu.yaml"), checkpoints)
