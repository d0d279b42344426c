"""Requests that the endpoint refuses one by one: no outage where others are answered, and no loss of what was paid."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from star1.errors import UserError
from star1.llm.keeping import Keeper
from star1.llm.requests import request
from star1.llm.store import Store
from tests.fault_server import Body, Fault, FaultServer, first
from tests.llm.conftest import Ask, rows, sending, teachers

REFUSED = {f"question {n}" for n in range(0, 300, 25)}  # 12 rows of 300, as many as an outage and two more
RISK = Fault(400, code="invalid_request_error", message="Content Exists Risk")


def risky(body: Body, earlier: int) -> Fault | None:
    return RISK if body["messages"][0]["content"] in REFUSED else None


def test_a_stage_that_was_interrupted_ends_although_its_refused_rows_now_stand_in_a_row(
    server: FaultServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = "question 299"
    server.plan = lambda body, n: Fault("quota") if body["messages"][0]["content"] == last else risky(body, n)
    with pytest.raises(UserError, match="quota"):
        ask(rows(300), concurrency=1)
    server.plan = risky
    asked = ask(rows(300), concurrency=1)
    assert (len(asked.values), len(asked.failures)) == (288, 12)
    monkeypatch.setenv("STAR1_RETRY_FAILURES", "1")
    assert len(ask(rows(300), concurrency=1).failures) == 12, "refused rows alone are asked for again"


def test_refusals_that_come_before_the_first_reply_are_no_outage(server: FaultServer, ask: Ask) -> None:
    """A filter refuses at once, and a reply takes its time: of requests in flight the refused ones come first."""
    refused = {f"question {n}" for n in range(20)}
    server.plan = lambda body, n: RISK if body["messages"][0]["content"] in refused else None
    asked = ask(rows(80), llm={"max_failure_rate": 0.5}, concurrency=40)
    assert (len(asked.values), len(asked.failures)) == (60, 20)


def test_an_endpoint_that_refuses_everything_stops_the_stage_soon(server: FaultServer, ask: Ask) -> None:
    server.plan = lambda body, n: RISK
    with pytest.raises(UserError, match=r"17 requests in a row got no reply .*Content Exists Risk"):
        ask(rows(100), concurrency=8)
    assert server.served <= 17 + 8


def test_a_row_without_a_reply_among_refused_ones_is_no_outage(server: FaultServer, ask: Ask) -> None:
    ask({"first": "an answered one"})
    server.plan = lambda body, n: Fault(500) if body["messages"][0]["content"] == "question 275" else risky(body, n)
    texts = {text: text for text in sorted(REFUSED)}
    assert len(ask(texts, llm={"max_failure_rate": 1.0}, concurrency=1, retries=0).failures) == 12


@pytest.mark.parametrize("answered_before", [False, True])
def test_an_endpoint_that_refuses_a_parameter_stops_the_stage(
    server: FaultServer, ask: Ask, answered_before: bool
) -> None:
    if answered_before:  # with the parameters of then
        ask(rows(20))
    server.plan = lambda body, n: RISK if body["temperature"] == 0.5 else None
    before = server.served
    hotter = teachers(server.url).classifier.model_copy(update={"temperature": 0.5})
    with pytest.raises(UserError, match=r"10 requests in a row got no reply .*Content Exists Risk"):
        ask(rows(100), llm={"classifier": hotter}, concurrency=1)
    assert server.served - before == 10


def test_a_refusal_does_not_replace_the_reply_that_another_row_got(server: FaultServer, ask: Ask) -> None:
    server.plan = first(1, Fault(500))
    ask({"first": "an answered one"}, retries=1)
    texts = {"a": "same", "b": "same"}
    assert ask(texts, llm={"max_failure_rate": 0.5}, concurrency=1, retries=0).values == {"b": ["Self-Harm"]}
    assert len(ask(texts).values) == 2
    assert server.good == 2


def test_of_two_runs_the_reply_stays_whichever_remembers_last(server: FaultServer, tmp_path: Path) -> None:
    params = teachers(server.url)
    error = {"error": {"status": None, "code": None, "message": "no reply"}}
    reply = server.completion({"model": "gpt-test", "messages": [{"role": "user", "content": "x"}]})
    asked = [request("classifier", params.classifier, [{"role": "user", "content": text}]) for text in "xy"]
    with Store(tmp_path) as store, Store(tmp_path) as other:
        unlucky, lucky = (Keeper(each, "s", "classifier", params.classifier, sending()) for each in (store, other))
        for each in asked:
            unlucky.keep(each, error)
        lucky.keep(asked[0], reply)
        unlucky.remember_unanswered()
        lucky.keep(asked[1], reply)
        assert store.get_many(asked) == {each.key: reply for each in asked}


def test_two_runs_that_ask_again_share_the_work(server: FaultServer, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    server.plan, server.latency_s = first(1, Fault("length")), 0.02
    texts = rows(10) | {"alike": "question 0"}
    assert len(ask(texts, llm={"max_failure_rate": 1.0}).failures) == 11
    monkeypatch.setenv("STAR1_RETRY_FAILURES", "1")
    with ThreadPoolExecutor() as runs:
        asked = list(runs.map(lambda _: ask(texts, llm={"max_failure_rate": 1.0}, concurrency=2), range(2)))
    assert [len(each.values) for each in asked] == [11, 11]
    assert server.served == 20
