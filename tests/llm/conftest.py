"""Asking the fault server: params that point there, a store in a folder of the test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from star1.llm import asking, client, parsing
from star1.params import Llm, Sending, load
from tests.fault_server import FaultServer, running
from tests.imports import ROOT

PARAMS = load(ROOT / "params.yaml")
ALLOWED = ["Self-Harm", "Other"]
KEY = "sk-a-secret-of-the-test-0123456789"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FaultServer]:
    """A fault server without faults; its fields may be changed at any time."""
    monkeypatch.setenv("STAR1_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TEST_KEY", KEY)
    monkeypatch.setattr(client, "FIRST_WAIT_S", 0.02)
    with running(FaultServer()) as started:
        yield started


def sending(**changes: Any) -> Sending:
    """Return the repository's sending params with changes to the classifier's endpoint, or to all of sending."""
    whole = {
        name: changes.pop(name)
        for name in ("budget_usd", "retry_failures", "batch_poll_s", "max_wait_s")
        if name in changes
    }
    endpoint = PARAMS.sending.classifier.model_copy(update={"key_variable": "TEST_KEY", **changes})
    return PARAMS.sending.model_copy(update={"classifier": endpoint, **whole})


def teachers(url: str, **changes: Any) -> Llm:
    """Return the repository's llm params with the classifier at `url`."""
    teacher = PARAMS.llm.classifier.model_copy(update={"base_url": url, "model": "gpt-test"})
    return PARAMS.llm.model_copy(update={"classifier": teacher, **changes})


def rows(count: int) -> dict[str, str]:
    """Return that many questions by id."""
    return {f"{n:05}": f"question {n}" for n in range(count)}


Ask = Callable[..., asking.Asked[list[str]]]


@pytest.fixture
def ask(server: FaultServer) -> Ask:
    """A function that asks the server about rows (id -> text); more arguments change llm and sending params."""

    def ask_about(texts: dict[str, str], llm: dict[str, Any] | None = None, **changes: Any) -> Any:
        conversations = {row_id: [{"role": "user", "content": text}] for row_id, text in texts.items()}
        return asking.ask_rows(
            "categorize",
            "classifier",
            teachers(server.url, **(llm or {})),
            sending(**changes),
            conversations,
            lambda reply: parsing.categories(reply, ALLOWED),
        )

    return ask_about
