"""Asking the fault server: params that point there, a store in a folder of the test's own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from star1.asking import parsing
from star1.asking.questions import Questions
from star1.asking.rows import Asked, ask_rows
from star1.llm import online
from star1.llm.settings import Llm, Sending
from star1.params import load
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
    monkeypatch.setattr(online, "FIRST_WAIT_S", 0.02)
    with running(FaultServer()) as started:
        yield started


def sending(**changes: Any) -> Sending:
    """Return the repository's sending params with changes to how the classifier is asked, or to all of sending."""
    names = ("budget_usd", "retry_failures", "batch_poll_s", "max_wait_s")
    whole = {name: changes.pop(name) for name in names if name in changes}
    roles = {"classifier": {"key_variable": "TEST_KEY", **changes}}
    return PARAMS.sending.model_copy(update={"roles": roles, **whole})


def teachers(url: str, **changes: Any) -> Llm:
    """Return the repository's llm params with the classifier at `url`."""
    teacher = PARAMS.llm.classifier.model_copy(update={"base_url": url, "model": "gpt-test"})
    return PARAMS.llm.model_copy(update={"classifier": teacher, **changes})


def rows(count: int) -> dict[str, str]:
    """Return that many questions by id."""
    return {f"{n:05}": f"question {n}" for n in range(count)}


def questions(texts: dict[str, str]) -> Questions[list[str]]:
    """Return what the classifier is asked about texts by id."""
    return Questions(
        "classifier",
        pd.DataFrame({"id": list(texts), "text": list(texts.values())}, dtype=object),
        lambda row: [{"role": "user", "content": row.text}],
        lambda reply: parsing.categories(reply, ALLOWED),
    )


Ask = Callable[..., Asked[list[str]]]


@pytest.fixture
def ask(server: FaultServer) -> Ask:
    """A function that asks the server about rows (id -> text); more arguments change llm and sending params."""

    def ask_about(texts: dict[str, str], llm: dict[str, Any] | None = None, **changes: Any) -> Any:
        params = teachers(server.url, **(llm or {}))
        return ask_rows("categorize", questions(texts), params.classifier, params, sending(**changes))

    return ask_about
