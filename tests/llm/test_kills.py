"""kill -9 at any moment, two processes at once: no stored reply is asked for again. Counts are the server's own."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from star1.llm.requests import request
from star1.llm.store import Store
from tests.fault_server import FaultServer
from tests.imports import ROOT
from tests.llm.asker import USD
from tests.llm.conftest import rows, teachers

CONCURRENCY = 8


class Asker:
    """A process that asks, each time it is told to, in a child of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self) -> int:
        """Let a child begin and return its pid."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return self._said()

    def kill(self, pid: int) -> bool:
        """Kill the child; say whether it was still at work."""
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        return self.status() == signal.SIGKILL

    def status(self) -> int:
        """Wait until the child has ended; return its wait status."""
        return self._said()

    def _said(self) -> int:
        assert self._process.stdout is not None
        return int(json.loads(self._process.stdout.readline()))


@contextmanager
def asker(server: FaultServer, count: int, mode: str = "online", budget: str = "") -> Iterator[Asker]:
    command = [sys.executable, "-m", "tests.llm.asker", server.url, str(count), str(CONCURRENCY), mode, budget]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        yield Asker(process)
        assert process.stdin is not None
        process.stdin.close()


def stored_texts(home: Path, server: FaultServer, texts: list[str]) -> list[str]:
    teacher = teachers(server.url).classifier
    with Store(home / "responses") as store:
        requests = {text: request("classifier", teacher, [{"role": "user", "content": text}]) for text in texts}
        found = store.get_many(list(requests.values()))
        return [text for text, asked in requests.items() if asked.key in found]


def test_fifty_kills_lose_at_most_what_was_in_flight(server: FaultServer, tmp_path: Path) -> None:
    count, kills, home = 1500, 50, tmp_path / "home"  # more rows than 50 runs of these lengths can finish
    texts, chance = list(rows(count).values()), random.Random(0)
    server.latency_s = 0.05
    really_killed, before = 0, 0
    with asker(server, count) as process:
        for _ in range(kills):
            pid = process.start()
            time.sleep(chance.uniform(0.0, 0.25))
            really_killed += process.kill(pid)
            done = stored_texts(home, server, texts)
            assert len(done) >= before
            before = len(done)
            asked_before = {text: server.came[text] for text in done}
            if chance.random() < 0.2:  # a run that is left alone for a while must leave these as they are
                pid = process.start()
                time.sleep(0.3)
                really_killed += process.kill(pid)
                assert {text: server.came[text] for text in done} == asked_before
        process.start()
        assert process.status() == 0
    assert json.loads((home / "asked.json").read_text()).keys() == rows(count).keys()
    with Store(home / "responses") as store:
        assert len(store) == count
    assert really_killed >= 40
    assert count <= server.served <= count + really_killed * CONCURRENCY


def test_a_budget_outlives_kills(server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stages of one run, killed again and again, spend its budget and what was in flight at each kill, no more."""
    monkeypatch.setenv("DVC_STAGE", "ask")  # so that the run is the process above: this one
    count, kills, chance = 1500, 10, random.Random(0)
    server.latency_s = 0.05
    server.answer = lambda body: '{"categories": ["Other"]}' + " " * 3900
    budget = 6.0
    with asker(server, count, budget=str(budget)) as process:
        for _ in range(kills):
            enough = server.served + chance.randint(1, 50)
            pid = process.start()
            while server.served < enough:
                time.sleep(0.005)
            assert process.kill(pid)
        killed = server.served
        process.start()
        assert process.status() != 0, "the budget was not reached"
        stopped = server.served
        process.start()
        assert process.status() != 0 and server.served == stopped, "the same run went on after its budget"
    with Store(tmp_path / "home/responses") as store:
        used = store.usage()
        a_call = (used.prompt_tokens + used.reply_tokens) * USD / 1e6 / len(store)
    assert killed < 0.9 * budget / a_call
    assert budget - 2 * a_call <= stopped * a_call <= budget + kills * CONCURRENCY * a_call


def test_two_processes_ask_each_request_once(server: FaultServer, tmp_path: Path) -> None:
    server.latency_s = 0.02
    with asker(server, 300) as one, asker(server, 300) as other:
        one.start(), other.start()
        assert (one.status(), other.status()) == (0, 0)
    assert server.served == 300
    assert server.most_at_once > CONCURRENCY, "both were at work"
    assert json.loads((tmp_path / "home/asked.json").read_text()).keys() == rows(300).keys()


def test_a_batch_that_nobody_asks_for_any_more_is_remembered_all_the_same(server: FaultServer, tmp_path: Path) -> None:
    server.batches.lose = r"GET /v1/batches/[\w-]+"
    with asker(server, 20, "batch") as process:
        pid = process.start()
        assert server.batches.stalled.wait(20)
        assert process.kill(pid)
    (path,) = (tmp_path / "home/responses/batches").iterdir()
    path.unlink()  # then the endpoint's own copy of it serves
    for count, mode in ((5, "batch"), (20, "online")):
        with asker(server, count, mode) as process:
            process.start()
            assert process.status() == 0
    assert (len(server.batches.made), server.served) == (1, 0)


@pytest.mark.parametrize(
    "lose",
    ["POST /v1/files", "POST /v1/batches", r"GET /v1/batches/[\w-]+", r"GET /v1/files/[\w-]+/content"],
)
def test_a_batch_killed_in_any_phase_is_submitted_once(server: FaultServer, tmp_path: Path, lose: str) -> None:
    server.batches.lose = lose
    with asker(server, 20, "batch") as process:
        pid = process.start()
        assert server.batches.stalled.wait(20)
        assert process.kill(pid)
        process.start()
        assert process.status() == 0
    assert len(server.batches.made) == 1
    assert sorted(server.batches.asked) == sorted(rows(20).values())
    assert server.served == 0
    in_batch = json.loads((tmp_path / "home/asked.json").read_text())
    with asker(server, 20) as process:
        process.start()
        assert process.status() == 0
    assert server.served == 0, "the online run remembers what the batch brought"
    assert json.loads((tmp_path / "home/asked.json").read_text()) == in_batch
    assert in_batch.keys() == rows(20).keys()
