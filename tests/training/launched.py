"""What `accelerate launch` runs in the tests: trainings one after another in the same ranks, and what they showed.

Arguments: the launch file, the folder of models and results, the names of the trainings as FAMILY-BUDGET, and, for one
that is to be killed, the step after which it kills its main process (0: none).
"""

import json
import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate.state import AcceleratorState, GradientState

from star1.pipeline.stage import is_main_process
from star1.training.engine import Engine
from star1.training.launch import read_launch
from star1.training.loop import Curve, Speed, finetune
from tests.training.plain import EXAMPLES, SETTINGS

STEPS = 20
PROMPT = torch.arange(24)[None]


def logits(engine: Engine) -> list[Any]:
    """Return the logits of PROMPT under the weights in training. All ranks call it."""
    head = engine.losses.model.get_output_embeddings()
    with torch.no_grad():
        hidden = engine.losses.model.base_model(PROMPT, use_cache=False).last_hidden_state
        if engine.sharded:
            import deepspeed

            gathered = deepspeed.zero.GatheredParameters([head.weight])
        with gathered if engine.sharded else nullcontext():
            return (hidden @ head.weight.T).tolist()


def main(launch: Path, folder: Path, names: list[str], kill_after: int) -> None:
    """Run the trainings; write NAME.json beside each model: its curve, the steps of this launch, the last logits."""
    for name in names:
        family, tokens = name.split("-")
        seen: list[int] = []
        last: list[Any] = []
        save = Engine.save

        def look_and_save(engine: Engine, out: Path, last: list[Any] = last, save: Any = save) -> None:
            last += logits(engine)
            save(engine, out)

        def log(curve: Curve, speed: Speed, seen: list[int] = seen) -> None:
            seen.append(curve.step)
            if kill_after and curve.step == kill_after + 1:  # the checkpoint of `kill_after` is whole by now
                os.kill(os.getpid(), signal.SIGKILL)

        Engine.save = look_and_save  # type: ignore[method-assign]
        curve = finetune(
            folder / family,
            EXAMPLES,
            folder / name,
            SETTINGS.model_copy(update={"micro_batch_tokens": int(tokens)}),
            STEPS,
            read_launch(launch),
            folder / "checkpoints",
            log,
        )
        Engine.save = save  # type: ignore[method-assign]
        if is_main_process():
            story = {"losses": [point.loss for point in curve], "seen": seen, "logits": last}
            (folder / f"{name}.json").write_text(json.dumps(story))
        AcceleratorState._reset_state()
        GradientState._reset_state()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(","), int(sys.argv[4]))
