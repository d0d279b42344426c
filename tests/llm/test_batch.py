"""Batch mode: the same rows as online; what an expired batch had finished is kept, the rest is asked again."""

import json
from pathlib import Path
from typing import Any

import pytest

from star1.asking import parsing
from star1.asking.conversation import Conversation
from star1.errors import UserError
from star1.llm import batch_files
from star1.llm.requests import Request
from tests.fault_server import FaultServer
from tests.llm.conftest import ALLOWED, Ask, rows, teachers


@pytest.fixture
def batched(ask: Ask) -> Ask:
    return lambda texts, **changes: ask(texts, mode="batch", batch_poll_s=0.01, **changes)


def test_a_batch_brings_what_online_calls_would(server: FaultServer, batched: Ask, ask: Ask) -> None:
    server.batches.polls = 3
    asked = batched(rows(40))
    assert list(server.batches.made) == ["batch-0"]
    assert asked.values == ask(rows(40)).values
    assert server.served == 0


def test_a_reply_that_does_not_fit_goes_into_a_second_batch(server: FaultServer, batched: Ask) -> None:
    server.answer = lambda body: '{"categories": ["Other"]}' if len(body["messages"]) > 1 else "prose"
    assert batched(rows(5)).values == {row_id: ["Other"] for row_id in rows(5)}
    assert len(server.batches.made) == 2


def test_what_an_expired_batch_had_finished_is_kept(server: FaultServer, batched: Ask) -> None:
    server.batches.ends, server.batches.keeps = "expired", 0.6
    assert len(batched(rows(20)).values) == 20
    assert len(server.batches.made) == 2
    assert len(server.batches.asked) == 20 + 8


def test_a_failed_batch_stops_and_the_next_run_submits_anew(server: FaultServer, batched: Ask) -> None:
    server.batches.ends = "failed"
    with pytest.raises(UserError, match=r"classifier: batch batch-0 failed \(planned\)"):
        batched(rows(5))
    assert len(batched(rows(5)).values) == 5
    assert len(server.batches.made) == 2


def test_a_budget_holds_for_batches(server: FaultServer, batched: Ask) -> None:
    server.answer = lambda body: '{"categories": ["Other"]}' + " " * 3900  # near the 1,024 tokens that it may take
    one_at_most = (16 + len("question 0") + 1024) / 1e6  # at half of $2 for a million
    with pytest.raises(UserError, match=r"budget_usd \S+ is reached"):
        batched(rows(10), input_usd=2, output_usd=2, budget_usd=4.5 * one_at_most)
    assert len(server.batches.asked) == 4
    assert len(batched(rows(10)).values) == 10
    assert len(server.batches.asked) == 10


def test_failed_rows_are_asked_for_again_only_if_told(server: FaultServer, batched: Ask) -> None:
    server.answer = lambda body: "prose" if "bad" in body["messages"][0]["content"] else '{"categories": ["Other"]}'
    assert list(batched(rows(29) | {"7": "bad"}).failures["attempts"]) == [3]
    made = len(server.batches.made)
    server.answer = lambda body: '{"categories": ["Other"]}'
    assert list(batched(rows(29) | {"7": "bad"}).failures["id"]) == ["7"]
    assert len(server.batches.made) == made
    assert batched(rows(29) | {"7": "bad"}, retry_failures=True).values["7"] == ["Other"]
    assert len(server.batches.made) == made + 1
    assert batched(rows(29) | {"7": "bad"}).failures.empty
    assert len(server.batches.made) == made + 1


def test_a_row_that_is_refused_again_is_a_failure_again(server: FaultServer, batched: Ask) -> None:
    server.batches.refused = "bad"
    texts = rows(29) | {"7": "bad"}
    assert list(batched(texts).failures["reason"]) == ["the endpoint gave no reply: planned"]
    assert len(server.batches.made) == 1
    assert list(batched(texts, retry_failures=True).failures["id"]) == ["7"]
    assert len(server.batches.made) == 2


def test_files_are_of_bounded_size(
    server: FaultServer, batched: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(batch_files, "ROWS", 8)
    assert len(batched(rows(20)).values) == 20
    assert sorted(content.count(b"\n") for content in server.batches.inputs()) == [4, 8, 8]
    line = len(max(server.batches.inputs()[0].splitlines(keepends=True), key=len))
    monkeypatch.setattr(batch_files, "BYTES", 3 * line + 10)
    assert len(batched(rows(27)).values) == 27
    assert sorted(content.count(b"\n") for content in server.batches.inputs()[3:]) == [1, 3, 3]
    assert list((tmp_path / "home/responses/batches").iterdir()) == [], "files of batches that are done are gone"


def test_a_request_comes_back_from_its_line_however_often_it_asks_again(server: FaultServer) -> None:
    def parse(reply: dict[str, Any]) -> list[str]:
        return parsing.categories(reply, ALLOWED)

    teacher = teachers(server.url).classifier
    conversation = Conversation("a", "classifier", teacher, [{"role": "user", "content": "how?"}], parse, 2)
    for said in ("prose", '{"categories": []}', None):
        request = conversation.request
        line = json.dumps({"body": request.body}).encode()
        back = batch_files.request_of("classifier", server.url, line, request.key)
        assert back is not None
        assert (back.key, back.keyed, back.body) == (request.key, request.keyed, request.body)
        assert batch_files.request_of("scorer", server.url, line, request.key) is None
        conversation.receive({"choices": [{"finish_reason": "stop", "message": {"content": said}}]})
    assert isinstance(request, Request) and len(request.body["messages"]) == 5


def test_the_simulator_has_none(batched: Ask, server: FaultServer) -> None:
    server.url = "simulator"
    with pytest.raises(UserError, match=r"sending\.roles\.classifier\.mode: the simulator has no batches"):
        batched(rows(1))
