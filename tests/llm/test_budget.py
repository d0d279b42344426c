"""The cap, and what is said before a run: tokens by the store's own ratio, dollars by the params' prices."""

import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil
from pathlib import Path

import pytest

from star1.errors import UserError
from star1.llm.budget import rates
from star1.llm.requests import Request
from star1.llm.store import Store
from tests.conftest import commit, run
from tests.fault_server import FaultServer
from tests.imports import ROOT
from tests.llm.conftest import Ask, rows, sending

USD = 10.0  # a million tokens, both ways
LONG = '{"categories": ["Other"]}' + " " * 3900


def spent(home: Path) -> float:
    with Store(home / "responses") as store:
        used = store.usage()
    return (used.prompt_tokens + used.reply_tokens) * USD / 1e6


def test_a_cap_is_never_passed_and_missed_by_less_than_a_call(server: FaultServer, ask: Ask, tmp_path: Path) -> None:
    server.answer = lambda body: LONG
    server.latency_s = 0.01
    one_at_most = USD * (1024 + 16 + len("question 10")) / 1e6
    with pytest.raises(UserError, match=r"budget_usd 0\.2 is reached: .* the next run goes on"):
        ask(rows(100), input_usd=USD, output_usd=USD, budget_usd=0.2)
    first = spent(tmp_path / "home")
    assert 0.2 - one_at_most < first <= 0.2
    served = server.served
    with pytest.raises(UserError, match="is reached"):
        ask(rows(100), input_usd=USD, output_usd=USD, budget_usd=0.2)
    assert server.served == served < 100, "this process is one run, and has spent its budget"
    assert len(ask(rows(100), input_usd=USD, output_usd=USD).values) == 100
    assert server.served == 100


def test_replies_that_do_not_say_what_they_took_are_counted(
    server: FaultServer, ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer, server.counts, server.latency_s = (lambda body: LONG), False, 0.01
    with pytest.raises(UserError, match=r"budget_usd 0\.2 is reached"):
        ask(rows(100), input_usd=USD, output_usd=USD, budget_usd=0.2)
    first = spent(tmp_path / "home")
    assert 0.18 < first <= 0.2
    assert f"${first:,.4f}" in capsys.readouterr().out
    with Store(tmp_path / "home/responses") as store:
        assert store.usage().reply_tokens == server.good * ceil(len(LONG) / 4)


def test_a_store_that_fails_at_a_payment_ends_the_run(
    server: FaultServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise UserError("responses.sqlite: cannot be written (database or disk is full)")

    monkeypatch.setattr(Store, "pay", full)
    # Room for two calls at a time, so that the other workers wait for their end, whatever it is.
    server.latency_s, cap = 0.02, 2.5 * USD * (1024 + 16 + 10) / 1e6
    with running_at_most(10), pytest.raises(UserError, match="disk is full"):
        ask(rows(50), concurrency=8, input_usd=USD, output_usd=USD, budget_usd=cap)


@contextmanager
def running_at_most(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in the main thread after that time: a run that hangs would hang the tests."""

    def late(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


CAPPED = """
import pathlib, sys
sys.path[:0] = [{root!r}]
from star1.errors import UserError
from star1.asking.rows import ask_rows
from tests.llm.conftest import questions, sending, teachers

name = sys.argv[1]
try:
    params = teachers({url!r})
    asked = ask_rows(
        name, questions({{str(n): f"{{name}} {{n}}" for n in range(12)}}), params.classifier, params,
        sending(input_usd={usd}, output_usd={usd}, budget_usd=0.2),
    )
    pathlib.Path(name).write_text("")
except UserError as error:
    sys.exit(str(error))
"""


def test_a_cap_is_that_of_all_stages_of_a_run(server: FaultServer, tmp_path: Path) -> None:
    server.answer = lambda body: LONG
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "ask.py").write_text(CAPPED.format(root=str(ROOT), url=server.url, usd=USD))
    command = f"{sys.executable} ask.py"
    (folder / "dvc.yaml").write_text(
        f"stages:\n  one: {{cmd: {command} one, deps: [ask.py], outs: [one]}}\n"
        f"  two: {{cmd: {command} two, deps: [ask.py, one], outs: [two]}}\n"
    )
    for setup in (["git", "init", "-q"], ["dvc", "init", "-q"]):
        run(folder, *setup)
    commit(folder)
    path = {"PYTHONPATH": str(ROOT / "src")}
    one_at_most = USD * (1024 + 16 + len("two 10")) / 1e6

    said = run(folder, "dvc", "repro", ok=False, **path)
    assert "budget_usd 0.2 is reached" in said and "Running stage 'two'" in said
    first = spent(tmp_path / "home")
    assert 0.2 - one_at_most < first <= 0.2, "twelve calls of stage one and the first ones of stage two"
    assert 12 < server.served < 24

    run(folder, "dvc", "exp", "run", "--temp", **path)
    assert server.served == 24, "the next run has a budget of its own, and goes on"


def test_the_line_before_the_run_says_what_it_will_cost(
    server: FaultServer, ask: Ask, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    ask(rows(100), input_usd=USD, output_usd=USD * 3000)
    capsys.readouterr()
    ask(rows(1000), input_usd=USD, output_usd=USD * 3000)
    said = re.search(r"1,000 rows: 100 remembered, 900 to ask, about \$([\d.]+)", capsys.readouterr().out)
    assert said is not None
    with Store(tmp_path / "home/responses") as store:
        used = store.usage()
    real = (used.prompt_tokens * USD + used.reply_tokens * USD * 3000) / 1e6 * 900 / 1000
    assert float(said[1]) == pytest.approx(real, rel=0.1)


TIKTOKEN = """
class Encoding:
    def encode(self, text, disallowed_special):
        assert disallowed_special == ()
        return text.split()

def encoding_for_model(model):
    if model == "gpt-unreachable":
        raise OSError("no connection")
    if not model.startswith("gpt"):
        raise KeyError(model)
    return Encoding()
"""


@pytest.mark.parametrize(("model", "tokens"), [("gpt-test", 4 + 4), ("gpt-unreachable", 14 / 4), ("other", 14 / 4)])
def test_prompt_tokens_are_counted_where_the_tokenizer_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, tokens: float
) -> None:
    (tmp_path / "tiktoken.py").write_text(TIKTOKEN)  # what is used of the package of this name
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tiktoken", raising=False)
    with Store(tmp_path) as store:
        rate = rates(store, "categorize", "classifier", model, sending(input_usd=USD).of("classifier"))
    asked = Request("classifier", "", {"messages": [{"role": "user", "content": "how does it go"}], "max_tokens": 9})
    assert rate.prompt_tokens(asked) == tokens
    assert rate.likely_tokens(asked) == (tokens, 9)
    monkeypatch.delitem(sys.modules, "tiktoken", raising=False)


def test_tokens_a_minute_are_paced(server: FaultServer, ask: Ask) -> None:
    import time

    ask(rows(1))  # from now on a call is known to take 2 + 9 tokens
    began = time.monotonic()
    ask(rows(11), tokens_per_minute=1200)
    assert time.monotonic() - began >= 9 * 11 * 60 / 1200 * 0.8
