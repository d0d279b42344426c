"""Every way of launching gives the plain loop's losses: one process, two ranks, ZeRO-2 and ZeRO-3 on the CPU (gloo)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.imports import ROOT
from tests.training.launched import BUDGETS, STEPS
from tests.training.plain import EXAMPLES, SETTINGS, plain_loop, small_model

RANKS = {"cpu": 1, "cpus": 2, "zero2": 2, "zero3": 2}


def launch_file(name: str, folder: Path) -> Path:
    """Return the file of configs/ as it is, but for two processes where it has eight."""
    yaml = YAML()
    yaml.preserve_quotes = True
    content = yaml.load(ROOT / "configs" / f"{'gpus' if name == 'cpus' else name}.yaml")
    content["num_processes"] = RANKS[name]
    if name == "cpus":
        content["use_cpu"] = True
    path = folder / f"{name}.yaml"
    yaml.dump(content, path)
    return path


@pytest.mark.parametrize("name", RANKS)
def test_losses_are_the_plain_loop_s(tmp_path: Path, name: str) -> None:
    families = [small_model(family, tmp_path / family).name for family in ("qwen", "llama")]
    path = launch_file(name, tmp_path)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "accelerate.commands.launch", "--quiet", "--config_file", path),
            *("--num_cpu_threads_per_process", "1", "-m", "tests.training.launched", path, tmp_path, *families),
        ],
        cwd=ROOT,
        env=os.environ | {"DS_ACCELERATOR": "cpu", "MASTER_PORT": str(29600 + list(RANKS).index(name))},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    curves = json.loads((tmp_path / "curves.json").read_text())
    for family in families:
        plain = list(plain_loop(tmp_path / family, EXAMPLES, SETTINGS, STEPS))
        for tokens in BUDGETS:
            losses = [point["loss"] for point in curves[f"{family}-{tokens}"]]
            assert losses == pytest.approx(plain, abs=1e-5), (family, tokens)
    assert not any((tmp_path / "checkpoints").iterdir())
