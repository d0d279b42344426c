"""Experiments side by side and killed: what one has paid for the others have, and the workspace stays as it is."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import run
from tests.fault_server import FaultServer
from tests.pipeline.test_calls import repository, scored, server

__all__ = ["repository", "scored", "server"]
pytestmark = pytest.mark.xdist_group("calls")

AT_ONCE = 4  # requests of a stage in flight
ALIKE = ("-S", "llm.scorer.max_tokens=999", "-S", f"+sending.roles.scorer.concurrency={AT_ONCE}")


def test_two_at_once_after_a_killed_one_pay_once(
    repository: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "latency_s", 0.05)
    before, came, lock = server.served, Counter(server.came), (repository / "dvc.lock").read_bytes()
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(repository / "src"),
    }
    command = ["dvc", "exp", "run", "-q", "--temp", "--name", "killed", *ALIKE, "score"]
    with subprocess.Popen(command, cwd=repository, env=environment, start_new_session=True) as process:
        while process.poll() is None and server.served - before < 20:
            time.sleep(0.01)
        assert process.poll() is None, "the experiment ended before it was killed"
        os.killpg(process.pid, signal.SIGKILL)
    paid = server.served - before
    time.sleep(0.5)
    assert server.served - before <= paid + AT_ONCE, "its stage was killed with it"
    assert run(repository, "git", "status", "--porcelain") == ""
    assert (repository / "dvc.lock").read_bytes() == lock

    for k in (11, 12):
        run(
            repository, "dvc", "exp", "run", "-q", "--queue", "--name", f"k{k}", *ALIKE, "-S", f"select.k={k}", "select"
        )
    run(repository, "dvc", "queue", "start", "-q", "-j", "2")
    for k in (11, 12):
        run(repository, "dvc", "queue", "logs", f"k{k}", "--follow")
    for _ in range(300):
        status = run(repository, "dvc", "queue", "status")
        if "Running" not in status and "Queued" not in status:
            break
        time.sleep(0.2)
    assert status.count("Success") == 2, status
    asked = server.came - came
    assert sum(asked.values()) == server.served - before
    assert len(asked) == len(scored_rows(repository)), "each row was asked about"
    twice = sum(times - 1 for times in asked.values())
    assert twice <= AT_ONCE, "only what was in flight when the first one was killed was asked again"
    assert run(repository, "git", "status", "--porcelain") == ""
    assert (repository / "dvc.lock").read_bytes() == lock


def scored_rows(repository: Path) -> list[str]:
    import pandas as pd

    return pd.read_parquet(repository / "data/cot.parquet")["id"].tolist()
