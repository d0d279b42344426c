"""What `accelerate launch` runs in the tests: trainings one after another in the same ranks, their losses to a file.

Arguments: the launch file, the folder of the results, the model families.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from accelerate.state import AcceleratorState, GradientState

from star1.stage import is_main_process
from star1.training.launch import read_launch
from star1.training.loop import finetune
from tests.training.plain import EXAMPLES, SETTINGS

STEPS = 20
# Rows that hold a rank's whole share of a step, and rows that take four forward passes and more.
BUDGETS = (10_000, 20)


def main(launch: Path, folder: Path, families: list[str]) -> None:
    """Train each family under each budget; write losses.json beside the models."""
    curves = {}
    for family in families:
        for tokens in BUDGETS:
            settings = SETTINGS.model_copy(update={"micro_batch_tokens": tokens})
            name = f"{family}-{tokens}"
            curve = finetune(
                folder / family, EXAMPLES, folder / name, settings, STEPS, read_launch(launch), folder / "checkpoints"
            )
            curves[name] = [asdict(point) for point in curve]
            AcceleratorState._reset_state()
            GradientState._reset_state()
    if is_main_process():
        (folder / "curves.json").write_text(json.dumps(curves))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
