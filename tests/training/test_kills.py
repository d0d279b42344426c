"""A training killed at any moment goes on where it was, and ends with the very same weights."""

import multiprocessing
import random
from pathlib import Path

from tests.forked import forkserver
from tests.training.plain import small_model
from tests.training.trainee import STEPS, train

KILLS = 20


def test_twenty_kills_leave_the_weights_bit_identical(tmp_path: Path) -> None:
    base = small_model("qwen", tmp_path / "base")
    checkpoints, moments = tmp_path / "checkpoints", random.Random(0)
    processes = forkserver()

    def run(out: Path, every_s: float) -> multiprocessing.process.BaseProcess:
        process = processes.Process(target=train, args=(base, out, checkpoints, every_s))
        process.start()
        return process

    undisturbed = run(tmp_path / "undisturbed", 1e9)
    undisturbed.join(120)
    assert undisturbed.exitcode == 0
    assert not any(checkpoints.iterdir()), "a finished run left a checkpoint"

    kills = half_written = 0
    furthest: list[str] = []
    # On a slow machine the first twenty may all fall between two checkpoints.
    while kills < KILLS or (not half_written and kills < 5 * KILLS):
        process = run(tmp_path / "killed", 0)
        process.join(moments.uniform(0.1, 0.9))
        assert process.exitcode is None, f"over after {kills} kills"
        process.kill()
        process.join()
        kills += 1
        half_written += any(checkpoints.glob("*/step-*.partial"))
        whole = sorted(path.name for path in checkpoints.glob("*/step-*") if not path.suffix)
        assert len(whole) <= 3, "old checkpoints stay"
        assert whole[-1:] >= furthest, "a whole checkpoint was lost"
        furthest = whole[-1:]
    assert half_written, "no kill met a checkpoint being written"
    assert furthest and int(furthest[0].removeprefix("step-")) < STEPS

    last = run(tmp_path / "killed", 1e9)
    last.join(120)
    assert last.exitcode == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("undisturbed", "killed")]
    assert weights[0] == weights[1]
    assert not any(checkpoints.iterdir())
