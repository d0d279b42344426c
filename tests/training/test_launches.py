"""Every way of launching gives the plain loop's losses: one process, two ranks, ZeRO-2 and ZeRO-3 on the CPU (gloo)."""

import json
import os
import subprocess
from pathlib import Path

import pytest
import torch
from ruamel.yaml import YAML
from transformers import AutoModelForCausalLM

from tests.imports import ROOT
from tests.training.launched import PROMPT, STEPS
from tests.training.launching import ENVIRONMENT, command, free_port
from tests.training.plain import EXAMPLES, SETTINGS, plain_loop, small_model

RANKS = {"cpu": 1, "cpus": 2, "zero2": 2, "zero3": 2}
# Rows that take four forward passes and more, and rows that hold a rank's whole share of a step.
BUDGETS = (20, 10_000)
KILLED = "qwen-20"


def launch_file(name: str, folder: Path) -> Path:
    """Return the file of configs/ as it is, but for two processes where it has eight; cpus is gpus on the CPU."""
    yaml = YAML()
    yaml.preserve_quotes = True
    content = yaml.load(ROOT / "configs" / f"{'gpus' if name == 'cpus' else name}.yaml")
    content["num_processes"] = RANKS.get(name, 2)
    content["use_cpu"] = name in ("cpu", "cpus")
    path = folder / f"{name}.yaml"
    yaml.dump(content, path)
    return path


def launch(name: str, folder: Path, *trainings: str, kill_after: int = 0) -> subprocess.CompletedProcess[str]:
    """Launch the trainings and wait for their end."""
    return subprocess.run(
        command(launch_file(name, folder), folder, free_port(), ",".join(trainings), kill_after),
        cwd=ROOT,
        env=os.environ | ENVIRONMENT | {"STAR1_CHECKPOINT_S": "0" if kill_after else "1e9"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[float]]:
    """The plain loop's losses for each family; small_model makes the same model each time."""
    folder = tmp_path_factory.mktemp("plain")
    return {
        family: list(plain_loop(small_model(family, folder / family), EXAMPLES, SETTINGS, STEPS))
        for family in ("qwen", "llama")
    }


def kill(before: str, folder: Path) -> None:
    """Have a launch killed when it has the checkpoint of step 7 of KILLED."""
    killed = launch(before, folder, KILLED, kill_after=7)
    assert killed.returncode != 0 and not (folder / KILLED).exists()
    if before == "zero2":
        refused = launch("cpu", folder, KILLED)
        assert refused.returncode != 0
        assert "stopped at step 7 with its state held by 2 processes of DeepSpeed" in refused.stderr


@pytest.mark.parametrize(
    ("before", "name"),
    [(None, "cpu"), ("cpu", "cpus"), ("zero2", "zero2"), ("zero3", "zero3"), (None, "zero3-offload")],
)
def test_losses_are_the_plain_loop_s_and_the_model_is_what_was_trained(
    tmp_path: Path, plain: dict[str, list[float]], before: str | None, name: str
) -> None:
    """The first training goes on where a launch `before` was killed; the others begin.

    With whole models in every rank also on another number of ranks; DeepSpeed's shards stay with theirs.
    """
    families = [small_model(family, tmp_path / family).name for family in plain]
    trainings = [f"{family}-{tokens}" for family in families for tokens in BUDGETS]
    if before is not None:
        kill(before, tmp_path)
    done = launch(name, tmp_path, *trainings)
    assert done.returncode == 0, done.stderr[-4000:]
    for training in trainings:
        story = json.loads((tmp_path / f"{training}.json").read_text())
        first = 8 if training == KILLED and before is not None else 1
        assert story["seen"] == list(range(first, STEPS + 1))
        assert story["losses"] == pytest.approx(plain[training.split("-")[0]], abs=1e-5), training
        model = AutoModelForCausalLM.from_pretrained(tmp_path / training)
        torch.testing.assert_close(model(PROMPT).logits, torch.tensor(story["logits"]), rtol=0, atol=1e-6)
    assert not any((tmp_path / "checkpoints").iterdir())
