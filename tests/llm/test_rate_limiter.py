"""Pauses that an endpoint asks for, and what is said when nothing comes."""

import asyncio
import time
from pathlib import Path

import pytest

from star1.asking import rows as asking
from star1.errors import UserError
from star1.llm.rate_limiter import RateLimiter
from star1.llm.requests import Request
from star1.llm.store import Store
from tests.fault_server import Body, Fault, FaultServer
from tests.llm.conftest import Ask, rows, sending

ASKED = Request("classifier", "", {"model": "m", "messages": []})


def limiter(longest_s: float = 600.0) -> RateLimiter:
    return RateLimiter("classifier", sending(concurrency=20).of("classifier"), longest_s, lambda request: 0.0)


def test_after_a_pause_requests_are_sent_one_after_another() -> None:
    async def released() -> list[float]:
        limits, times = limiter(), []

        async def wait() -> None:
            await limits.turn(ASKED)
            times.append(time.monotonic())

        limits.hold(0.5)
        await asyncio.gather(*(wait() for _ in range(20)))
        return times

    times = asyncio.run(released())
    assert max(times) - min(times) > 0.4


def test_a_long_pause_is_said_once_and_a_longer_one_stops(capsys: pytest.CaptureFixture[str]) -> None:
    limits = limiter()
    for _ in range(3):
        limits.hold(45)
    assert capsys.readouterr().out == "classifier: the endpoint asks to wait 45 s; waiting\n"
    with pytest.raises(UserError, match=r"asks to wait 86,400 s, more than sending\.max_wait_s 600; all replies"):
        limits.hold(86_400)


def test_a_pause_of_a_day_ends_the_stage(server: FaultServer, ask: Ask) -> None:
    server.plan = lambda body, earlier: Fault(429, retry_after=86_400) if server.served > 5 else None
    with pytest.raises(UserError, match=r"classifier: the endpoint asks to wait 86,400 s"):
        ask(rows(50), concurrency=2)
    server.plan = lambda body, earlier: None
    assert len(ask(rows(50)).values) == 50


def test_an_outage_names_its_cause(server: FaultServer, ask: Ask) -> None:
    server.url = "http://127.0.0.1:9/v1"  # nobody listens there
    with pytest.raises(UserError, match=r"10 requests in a row got no reply .*connection failed: .*(refused|attempts)"):
        ask(rows(50), retries=0, concurrency=2)


def test_replies_that_cannot_be_kept_are_counted(
    server: FaultServer, ask: Ask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    class Full(Store):
        def __init__(self, folder: Path) -> None:
            super().__init__(folder)
            self._database.execute("PRAGMA max_page_count = 40")  # SQLite then fails as on a full disk

    monkeypatch.setattr(asking, "Store", Full)
    server.answer = lambda body: '{"categories": ["Other"]}' + "".join(map(chr, range(300, 900)))
    with pytest.raises(UserError, match=r"cannot be written .*full"):
        ask(rows(500), concurrency=8)
    kept = len(Store(tmp_path / "home/responses"))
    assert 0 < kept < server.good
    said = f"categorize: {server.good - kept} requests were under way and are not kept; the next run asks again"
    assert said in capsys.readouterr().out


def test_what_waits_for_its_turn_is_not_sent_after_a_stop(
    server: FaultServer, ask: Ask, capsys: pytest.CaptureFixture[str]
) -> None:
    server.plan = lambda body, earlier: Fault(401)
    began = time.monotonic()
    with pytest.raises(UserError, match="refuses the key"):
        ask(rows(50), concurrency=8, requests_per_minute=60)
    assert server.served == 1
    assert time.monotonic() - began < 3, "nobody waits for a turn that is not taken"
    assert "0 remembered, 0 failed" in capsys.readouterr().out, "what was not sent has not failed"


def test_what_waits_for_another_try_is_not_sent_after_a_stop(server: FaultServer, ask: Ask) -> None:
    def plan(body: Body, earlier: int) -> Fault:
        return Fault(404) if body["messages"][0]["content"] == "question 3" else Fault(503, retry_after=5)

    server.plan = plan
    began = time.monotonic()
    with pytest.raises(UserError, match="no model"):
        ask(rows(4), concurrency=4)
    assert server.served == 4
    assert time.monotonic() - began < 3
