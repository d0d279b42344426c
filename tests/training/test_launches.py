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
from tests.training.launching import command, free_port
from tests.training.plain import EXAMPLES, SETTINGS, plain_loop, small_model

RANKS = {"cpu": 1, "cpus": 2, "zero2": 2, "zero3": 2}
# Rows that hold a rank's whole share of a step, and rows that take four forward passes and more.
BUDGETS = (10_000, 20)


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
        env=os.environ | {"DS_ACCELERATOR": "cpu", "STAR1_CHECKPOINT_S": "0" if kill_after else "1e9"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def plain(folder: Path, family: str) -> list[float]:
    """Return the plain loop's losses."""
    return list(plain_loop(folder / family, EXAMPLES, SETTINGS, STEPS))


@pytest.mark.parametrize("name", [*RANKS, "zero3-offload"])
def test_losses_are_the_plain_loop_s_and_the_model_is_what_was_trained(tmp_path: Path, name: str) -> None:
    families = [small_model(family, tmp_path / family).name for family in ("qwen", "llama")]
    trainings = [f"{family}-{tokens}" for family in families for tokens in BUDGETS]
    done = launch(name, tmp_path, *trainings)
    assert done.returncode == 0, done.stderr[-4000:]
    for training in trainings:
        story = json.loads((tmp_path / f"{training}.json").read_text())
        assert story["losses"] == pytest.approx(plain(tmp_path, training.split("-")[0]), abs=1e-5), training
        model = AutoModelForCausalLM.from_pretrained(tmp_path / training)
        torch.testing.assert_close(model(PROMPT).logits, torch.tensor(story["logits"]), rtol=0, atol=1e-6)
    assert not any((tmp_path / "checkpoints").iterdir())


@pytest.mark.parametrize(("before", "after"), [("cpu", "cpus"), ("zero2", "zero2"), ("zero3", "zero3")])
def test_a_killed_launch_goes_on_where_it_was(tmp_path: Path, before: str, after: str) -> None:
    """With whole models in every rank also on another number of ranks; DeepSpeed's shards stay with theirs."""
    small_model("qwen", tmp_path / "qwen")
    killed = launch(before, tmp_path, "qwen-20", kill_after=7)
    assert killed.returncode != 0 and not (tmp_path / "qwen-20").exists()
    if before == "zero2":
        refused = launch("cpu", tmp_path, "qwen-20")
        assert refused.returncode != 0
        assert "stopped at step 7 with its state held by 2 processes of DeepSpeed" in refused.stderr
    done = launch(after, tmp_path, "qwen-20")
    assert done.returncode == 0, done.stderr[-4000:]
    story = json.loads((tmp_path / "qwen-20.json").read_text())
    assert story["seen"] == list(range(8, STEPS + 1))
    assert story["losses"] == pytest.approx(plain(tmp_path, "qwen"), abs=1e-5)
    assert not any((tmp_path / "checkpoints").iterdir())
