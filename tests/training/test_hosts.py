"""A training over several hosts: two launchers that meet on loopback, a process each, give the plain loop's losses."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.imports import ROOT
from tests.training.launched import STEPS
from tests.training.launching import ENVIRONMENT, command, free_port
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
    port, meeting = free_port(), ("--main_process_ip", "127.0.0.1")
    launchers = [
        subprocess.Popen(
            command(folder / "zero3-hosts.yaml", folder, port, "qwen-20", 0, "--machine_rank", str(rank), *meeting),
            cwd=ROOT,
            env=os.environ | ENVIRONMENT,
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
