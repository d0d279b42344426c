"""Asking: every exact request is sent once, replies that do not fit are asked again, failures are counted."""

from pathlib import Path
from typing import Any

import pytest

from star1.asking import parsing
from star1.errors import UserError
from star1.llm.endpoints import url
from star1.llm.requests import request
from star1.llm.store import Store
from tests.fault_server import Fault, FaultServer, first, mixed
from tests.llm.conftest import PARAMS, Ask, rows, sending


def test_each_request_is_sent_once_ever(server: FaultServer, ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(rows(50)).values == {row_id: ["Self-Harm"] for row_id in rows(50)}
    assert server.served == 50
    capsys.readouterr()
    assert ask(rows(51)).values.keys() == rows(51).keys()
    assert server.served == 51
    assert "categorize: 51 rows: 50 remembered, 1 to ask, about $0.00\n" in capsys.readouterr().out


def test_rows_alike_share_one_request(server: FaultServer, ask: Ask) -> None:
    server.latency_s = 0.1
    assert len(ask({"a": "same", "b": "same", "c": "same"}).values) == 3
    assert server.served == 1


def test_a_reply_that_does_not_fit_is_asked_again_with_the_reason(server: FaultServer, ask: Ask) -> None:
    def answer(body: dict[str, Any]) -> str:
        messages = body["messages"]
        if len(messages) == 1:
            return '{"categories": ["Nonsense"]}'
        assert "'Nonsense' is not one of the categories" in messages[-1]["content"]
        return '{"categories": ["Other"]}'

    server.answer = answer
    assert ask({"a": "x"}).values == {"a": ["Other"]}
    assert ask({"a": "x"}).values == {"a": ["Other"]}
    assert server.served == 2


def test_another_wording_of_the_reason_asks_for_nothing(
    server: FaultServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = lambda body: "prose" if len(body["messages"]) < 5 else '{"categories": ["Other"]}'
    assert ask({"a": "x"}).values == {"a": ["Other"]}
    worded = parsing.json_object

    def otherwise(text: str) -> dict[str, Any]:
        try:
            return worded(text)
        except parsing.UnusableReply as problem:
            raise parsing.UnusableReply(f"{problem}, alas") from None

    monkeypatch.setattr(parsing, "json_object", otherwise)
    assert ask({"a": "x"}).values == {"a": ["Other"]}
    assert server.served == 3


def test_rows_that_never_fit_are_failures_and_not_asked_again(
    server: FaultServer, ask: Ask, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = lambda body: "prose" if "bad" in body["messages"][0]["content"] else '{"categories": ["Other"]}'
    asked = ask(rows(29) | {"7": "bad"})
    assert asked.failures.to_dict("records") == [
        {"id": "7", "stage": "categorize", "reason": "it holds no JSON object", "attempts": 3, "last_reply": "prose"}
    ]
    assert set(asked.values) == set(rows(29))
    assert server.served == 29 + 3

    server.answer = lambda body: '{"categories": ["Other"]}'
    again = ask(rows(29) | {"7": "bad"})
    assert again.failures.equals(asked.failures)
    assert server.served == 32
    assert "1 failed before and are not asked again" in capsys.readouterr().out

    monkeypatch.setenv("STAR1_RETRY_FAILURES", "1")
    assert ask(rows(29) | {"7": "bad"}).values["7"] == ["Other"]
    assert server.served == 33
    assert ask(rows(29) | {"7": "bad"}).failures.empty
    assert server.served == 33


def test_too_many_failures_stop_the_stage_and_keep_the_replies(server: FaultServer, ask: Ask, tmp_path: Path) -> None:
    server.answer = lambda body: "prose"
    with pytest.raises(UserError, match=r"20 of 20 rows have no usable reply, more than llm\.max_failure_rate 5\.0%"):
        ask(rows(20))
    assert len(Store(tmp_path / "home/responses")) == 60


def test_with_faults_of_all_kinds_each_row_is_good_or_failed(server: FaultServer, ask: Ask) -> None:
    server.plan = mixed(0.3)
    asked = ask(rows(150), llm={"max_failure_rate": 0.2}, timeout_s=0.5)
    failed = list(asked.failures["id"])
    assert sorted([*asked.values, *failed]) == list(rows(150)), "none lost, none twice"
    assert set(asked.failures["reason"]) >= {
        "it ended with finish_reason length",
        "it ended with finish_reason content_filter",
        "the endpoint gave no reply: content_filter",
    }
    served = server.served
    again = ask(rows(150), llm={"max_failure_rate": 0.2}, timeout_s=0.5)
    assert again.failures.equals(asked.failures)
    assert server.served == served


@pytest.mark.parametrize("kind", [429, 500, 503, "stall", "cut", "malformed", "truncated"])
def test_what_passes_is_tried_again(server: FaultServer, ask: Ask, kind: int | str) -> None:
    server.plan = first(2, Fault(kind))
    assert len(ask(rows(5), timeout_s=0.5).values) == 5
    assert server.served == 15


@pytest.mark.parametrize(("kind", "why"), [(500, "answered 500"), ("cut", "connection failed"), ("stall", "within")])
def test_a_row_that_is_never_answered_is_a_failure_and_remembered(
    server: FaultServer, ask: Ask, kind: int | str, why: str
) -> None:
    server.plan = lambda body, earlier: Fault(kind) if "4" in body["messages"][0]["content"] else None
    asked = ask(rows(10), llm={"max_failure_rate": 0.5}, retries=1, timeout_s=0.3)
    assert list(asked.failures["id"]) == ["00004"]
    assert why in asked.failures["reason"][0]
    assert server.served == 11
    assert ask(rows(10), llm={"max_failure_rate": 0.5}).failures.equals(asked.failures)
    assert server.served == 11


def test_an_outage_stops_and_is_not_remembered(server: FaultServer, ask: Ask) -> None:
    server.plan = lambda body, earlier: Fault(500)
    with pytest.raises(UserError, match=r"10 requests in a row got no reply .*the endpoint answered 500: .*planned"):
        ask(rows(50), retries=0, concurrency=2)
    assert server.served <= 12
    server.plan = lambda body, earlier: None
    assert len(ask(rows(50)).values) == 50


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(401), "refuses the key; check the environment variable TEST_KEY"),
        (Fault(403), "the key in TEST_KEY may not use gpt-test"),
        (Fault(404), r"there is no model gpt-test at .*; check llm\.classifier\.model"),
        (Fault("quota"), "the quota at .* is used up; all replies so far are kept"),
    ],
)
def test_what_no_retry_mends_stops_at_once(server: FaultServer, ask: Ask, fault: Fault, told: str) -> None:
    server.plan = lambda body, earlier: fault if int(body["messages"][0]["content"].split()[1]) >= 20 else None
    with pytest.raises(UserError, match=told):
        ask(rows(1000), concurrency=4)
    assert server.served <= 24
    server.plan = lambda body, earlier: None
    assert len(ask(rows(1000)).values) == 1000
    assert server.served <= 1004


def test_retry_after_is_honoured_by_all(server: FaultServer, ask: Ask) -> None:
    import time

    server.plan = lambda body, earlier: Fault(429, retry_after=1.0) if server.served == 1 else None
    began = time.monotonic()
    ask(rows(5), concurrency=1)
    assert time.monotonic() - began >= 1.0
    assert server.served == 6


def test_requests_a_minute_are_paced(server: FaultServer, ask: Ask) -> None:
    import time

    began = time.monotonic()
    ask(rows(11), requests_per_minute=1200)
    assert time.monotonic() - began >= 0.5
    assert server.served == 11


def test_concurrency_is_the_most_at_once(server: FaultServer, ask: Ask) -> None:
    server.latency_s = 0.02
    ask(rows(60), concurrency=7)
    assert server.most_at_once == 7


def test_a_missing_key_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    teacher = PARAMS.llm.classifier.model_copy(update={"base_url": "https://api.example/v1"})
    endpoint = sending(key_variable="OPENAI_API_KEY").of("classifier")
    with pytest.raises(UserError, match=r"llm\.classifier: set the environment variable OPENAI_API_KEY"):
        url.client_for("classifier", teacher, endpoint)


def test_the_reply_s_schema_is_sent_where_the_endpoint_has_it() -> None:
    teacher, schema = PARAMS.llm.classifier, parsing.categories_schema(["Self-Harm", "Other"])
    without = request("classifier", teacher, [], schema=schema)
    assert "response_format" not in without.body
    sent = request("classifier", teacher.model_copy(update={"json_schema": True}), [], schema=schema)
    assert sent.body["response_format"]["json_schema"]["schema"]["required"] == ["categories"]
    assert sent.key != without.key


def test_the_key_is_the_exact_request() -> None:
    teacher = PARAMS.llm.classifier
    messages = [{"role": "user", "content": "how?"}]
    same = request("classifier", teacher, messages)
    assert same.key == request("classifier", teacher, [dict(reversed(messages[0].items()))]).key
    others = [
        request("scorer", teacher, messages),
        request("classifier", teacher.model_copy(update={"temperature": 0.1}), messages),
        request("classifier", teacher.model_copy(update={"model": "other"}), messages),
        request("classifier", teacher, [{"role": "user", "content": "how? "}]),
        request("classifier", teacher.model_copy(update={"base_url": "http://localhost:1/v1"}), messages),
        request("classifier", teacher.model_copy(update={"extra": {"repetition_penalty": 1.1}}), messages),
        request("classifier", teacher, messages, settings={"seed": 1}),
    ]
    assert len({same.key, *(other.key for other in others)}) == 8


def test_a_param_that_is_null_is_not_sent() -> None:
    teacher = PARAMS.llm.classifier.model_copy(
        update={"temperature": None, "top_p": None, "max_tokens": None, "extra": {"max_completion_tokens": 7}}
    )
    asked = request("classifier", teacher, [{"role": "user", "content": "how?"}])
    assert sorted(asked.body) == ["max_completion_tokens", "messages", "model"]
    assert asked.max_tokens == 7
