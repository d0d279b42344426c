"""A training over several hosts: two launchers that meet on loopback, a process each, give the plain loop's losses."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.imports import ROOT
from tests.training.launched import STEPS
from tests.training.plain import EXAMPLES, SETTINGS, plain_loop, small_model


def contents(folder: Path) -> dict[str, str]:
    """Return path -> hash of every file and folder below `folder`."""
    paths = sorted(folder.rglob("*"))
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "folder" for p in paths}


def test_two_hosts_give_the_plain_loop_s_losses_and_the_second_writes_nothing(tmp_path: Path) -> None:
    hosts = [tmp_path / "first", tmp_path / "second"]
    small_model("qwen", hosts[0] / "qwen")
    config = (ROOT / "configs/zero3-hosts.yaml").read_text()
    (hosts[0] / "zero3-hosts.yaml").write_text(config.replace("num_processes: 16", "num_processes: 2"))
    shutil.copytree(hosts[0], hosts[1])
    before = contents(hosts[1])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    launchers = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "accelerate.commands.launch", "--quiet", "--num_cpu_threads_per_process", "1"),
                *("--config_file", folder / "zero3-hosts.yaml", "--machine_rank", str(rank)),
                *("--main_process_ip", "127.0.0.1", "--main_process_port", port),
                *("-m", "tests.training.launched", folder / "zero3-hosts.yaml", folder, "qwen-20", "0"),
            ],
            cwd=ROOT,
            env=os.environ | {"DS_ACCELERATOR": "cpu"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, folder in enumerate(hosts)
    ]
    try:
        for launcher in launchers:
            errors = launcher.communicate(timeout=600)[1]
            assert launcher.returncode == 0, errors[-4000:]
    finally:
        for launcher in launchers:
            launcher.terminate()  # and its processes with it
            launcher.wait()
    plain = list(plain_loop(hosts[0] / "qwen", EXAMPLES, SETTINGS, STEPS))
    story = json.loads((hosts[0] / "qwen-20.json").read_text())
    assert story["losses"] == pytest.approx(plain, abs=1e-5)
    assert (hosts[0] / "qwen-20/model.safetensors").exists()
    assert contents(hosts[1]) == before
