"""A reply that no table can hold is one failed row, whatever it holds, all the way to the failures table."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from star1.artifacts import ARTIFACTS, BENIGN_CRITERIA, MAX_CHARS, SAFETY_CRITERIA, to_table, write_table
from star1.asking import parsing
from star1.asking.conversation import Conversation
from star1.asking.rows import ask_rows
from star1.evaluation.generation import generated
from star1.llm.archive import _line, _row
from star1.llm.budget import Budget, rates
from star1.llm.endpoints.url import Malformed, whole
from star1.llm.store import Store, remembered
from tests.fault_server import FaultServer
from tests.llm.conftest import ALLOWED, PARAMS, Ask, questions, rows, sending, teachers

HALF = "\ud83d"
THOUGHT = {"content": "no", "reasoning_content": "hm"}


def hostile(message: dict[str, Any]) -> Any:
    """Return what answers the question that says "bad" with a message, all others well."""
    return lambda body: message if "bad" in body["messages"][0]["content"] else '{"categories": ["Other"]}'


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ({"content": HALF}, "it holds half a surrogate pair at character 0"),
        ({"content": f'{{"categories": ["{HALF}"]}}'}, "it holds half a surrogate pair at character 17"),
        ({"content": "x" * (MAX_CHARS + 1)}, "it has 200,001 characters, more than 200,000"),
        ({"content": ["a", "list"]}, "it is empty"),
        ({"content": '{"categories": ["Other"], "n": ' + "1" * 5000 + "}"}, "its JSON cannot be read"),
    ],
)
def test_a_classifier_s_reply_that_no_table_holds(
    server: FaultServer, ask: Ask, monkeypatch: pytest.MonkeyPatch, message: dict[str, Any], why: str
) -> None:
    server.answer = hostile(message)
    asked = ask(rows(29) | {"7": "bad"})
    assert list(asked.failures["reason"]) == [why]
    to_table(ARTIFACTS["failures"], asked.failures)
    assert ask(rows(29) | {"7": "bad"}).failures.equals(asked.failures), "it is remembered"
    server.answer = hostile({"content": '{"categories": ["Other"]}'})
    monkeypatch.setenv("STAR1_RETRY_FAILURES", "1")
    assert ask(rows(29) | {"7": "bad"}).values["7"] == ["Other"]


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ({"content": f"<think>hm</think>{HALF}"}, "half a surrogate pair"),
        ({"content": "no", "reasoning_content": f"hm {HALF}"}, "half a surrogate pair at character 3"),
        ({"content": "no", "reasoning_content": "x" * (MAX_CHARS + 1)}, "it has 200,001 characters"),
    ],
)
def test_a_thought_that_no_table_holds(server: FaultServer, message: dict[str, Any], why: str) -> None:
    server.answer = lambda body: message if "bad" in body["messages"][0]["content"] else THOUGHT
    params, texts = teachers(server.url), rows(29) | {"7": "bad"}
    asking = replace(questions(texts), parse=parsing.thought)
    asked = ask_rows("reason", asking, params.classifier, params, sending())
    assert len(asked.values) == 29
    assert why in asked.failures["reason"][0]
    to_table(ARTIFACTS["failures"], asked.failures)


@pytest.mark.parametrize("usage", [{"prompt_tokens": 10**30, "completion_tokens": 2**63}, [1], "many", {}, None])
def test_a_usage_that_is_none_costs_no_reply(tmp_path: Path, usage: Any) -> None:
    request = Conversation(
        "1", "classifier", PARAMS.llm.classifier, [{"role": "user", "content": "how?"}], parsing.thought, 2
    ).request
    with Store(tmp_path) as store:
        store.put(request, {"choices": [], "usage": usage})
        assert store.get(request) == {"choices": [], "usage": usage}
        assert store.models()[0][2:5] == (1, 1, 0), "counted by its characters"


BIG = st.integers(-(2**70), 2**70) | st.just(10**30)
WORDS = st.text(st.characters(codec=None), max_size=8) | st.just(HALF) | st.just("x" * (MAX_CHARS + 1))
ANYTHING = st.recursive(
    st.none() | st.booleans() | BIG | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
NEARLY = st.one_of(
    st.builds(lambda x: {"categories": x}, st.lists(st.sampled_from(ALLOWED) | WORDS, max_size=2) | ANYTHING),
    st.builds(lambda x: {"question": x}, WORDS | ANYTHING),
    st.builds(lambda x: {"class": x}, st.sampled_from(parsing.CLASSES) | ANYTHING),
    st.builds(lambda x: dict.fromkeys((*SAFETY_CRITERIA, *BENIGN_CRITERIA), x), st.integers(0, 11) | ANYTHING),
)
TEXTS = st.one_of(
    WORDS, NEARLY.map(json.dumps), NEARLY.map(lambda x: json.dumps(x, ensure_ascii=False)), st.just("unsafe\nS1"),
    st.builds("<think>{}</think>{}".format, WORDS, WORDS),
)  # fmt: skip
MESSAGES = st.fixed_dictionaries({"content": TEXTS | ANYTHING}, optional={"reasoning_content": WORDS | ANYTHING})
CHOICES = st.fixed_dictionaries(
    {"finish_reason": st.just("stop") | st.just("stop") | ANYTHING, "message": MESSAGES | ANYTHING}
)
USAGES = st.fixed_dictionaries({}, optional=dict.fromkeys(("prompt_tokens", "completion_tokens"), BIG | ANYTHING))
REPLIES = st.fixed_dictionaries(
    {"choices": st.lists(CHOICES, min_size=1, max_size=2) | ANYTHING}, optional={"usage": USAGES | ANYTHING}
)
ERRORS = st.builds(lambda code, message: {"error": {"status": 400, "code": code, "message": message}}, ANYTHING, WORDS)
PARSERS = {
    "categorized": lambda reply: parsing.categories(reply, ALLOWED),
    "cot": parsing.thought,
    "scored": lambda reply: parsing.scores(reply, SAFETY_CRITERIA, 0, 10),
    "benign_questions": parsing.question,
    "judgements": parsing.refusal_class,
    "failures": parsing.guarded,
    "generations": generated,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(PARSERS)), st.lists(REPLIES | ERRORS, min_size=3, max_size=3))
def test_whatever_comes_the_whole_way_holds(store: Store, artifact: str, replies: list[dict[str, Any]]) -> None:
    messages = [{"role": "user", "content": "how?"}]
    conversation: Conversation[Any] = Conversation(
        "row", "classifier", PARAMS.llm.classifier, messages, PARSERS[artifact], 2
    )
    for reply in replies:
        try:
            came = reply if "error" in reply else whole(json.dumps(reply))
        except Malformed:
            return
        json.dumps(conversation.request.body, ensure_ascii=False).encode("utf-8")  # as it is sent
        row = remembered(conversation.request, came, "stage")
        assert _line(_row(_line(row).encode())) == _line(row)
        store.put_many([row], replace=True)
        assert json.dumps(store.get(conversation.request)) == json.dumps(came)
        rate = rates(store, "stage", "classifier", conversation.request.body["model"], PARAMS.sending.of("classifier"))
        assert rate.most_usd(conversation.request) >= 0 <= sum(rate.likely_tokens(conversation.request))
        if conversation.receive(came):
            break
    else:
        raise AssertionError("a conversation ends after its repairs")
    store.models()
    assert Budget(rate, None, store).left_usd
    if conversation.failure is None:
        written(artifact, conversation.value)
        return
    failure = conversation.failure
    assert failure.reason.strip() and len(failure.reason) <= 1000
    frame = pd.DataFrame([("row", "stage", failure.reason, failure.attempts, failure.last_reply)])
    frame.columns = pd.Index(ARTIFACTS["failures"].columns)
    write_table(to_table(ARTIFACTS["failures"], frame), store.path.with_name("failures.parquet"))


def written(artifact: str, value: Any) -> None:
    """Check that the texts of a parsed value can stand in a table, and pass its suite's limits."""
    texts = [
        getattr(value, "thinking", None),
        getattr(value, "answer", None),
        value if artifact == "benign_questions" else None,
    ]
    for text in filter(lambda text: text is not None, texts):
        assert text.strip() and len(text.encode("utf-8")) and len(text) <= MAX_CHARS
    row = {
        "id": "0" * 16,
        "question": value if artifact == "benign_questions" else "how?",
        "source": "S",
        "parent": "1",
    }
    row |= {"category": value if artifact == "categorized" else ["Other"], "score": value}
    row |= {name: getattr(value, name, "no") for name in ("response", "thinking", "answer")}
    if artifact not in ("failures", "judgements", "generations"):
        to_table(ARTIFACTS[artifact], pd.DataFrame([row]))


@pytest.mark.parametrize("depth", [100, 800, 850, 900, 950, 970, 980, 990, 1000, 5000])
def test_a_reply_that_is_nested_deep(tmp_path: Path, depth: int) -> None:
    text = json.dumps({"choices": [{"finish_reason": "stop", "message": {"content": "no"}}]})
    text = text[:-1] + ', "more": ' + "[" * depth + "]" * depth + "}"
    request = Conversation(
        "1", "classifier", PARAMS.llm.classifier, [{"role": "user", "content": "how?"}], parsing.thought, 2
    ).request
    try:
        came = whole(text)
    except Malformed:
        return
    with Store(tmp_path) as store:
        below(100, lambda: store.put(request, came))
        assert below(100, lambda: store.get(request)) == came


def below(frames: int, call: Callable[[], Any]) -> Any:
    """Call from that many frames further down: what could be read there must be written and read here too."""
    return below(frames - 1, call) if frames else call()
