"""How the tests start tests/training/launched.py: with `accelerate launch`, as `dvc repro` starts a training."""

import socket
import sys
from pathlib import Path

from tests import warm

ENVIRONMENT = {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1"}


def free_port() -> str:
    """Return a port of loopback that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return str(server.getsockname()[1])


def command(config: Path, folder: Path, port: str, trainings: str, kill_after: int = 0, *options: str) -> list[str]:
    """Return the command for the trainings (FAMILY-BUDGET, between commas) in `folder`; options are accelerate's.

    Launcher and ranks start from tests/warm: they train for a second, and would import for 8.
    """
    quick = warm.start(warm.TRAINING, **ENVIRONMENT)
    python = str(quick / "python") if quick else sys.executable
    return [
        *(python, "-m", "accelerate.commands.launch", "--quiet", "--config_file", str(config)),
        *("--main_process_port", port, "--num_cpu_threads_per_process", "1", *options),
        *("-m", "tests.training.launched", str(config), str(folder), trainings, str(kill_after)),
    ]
