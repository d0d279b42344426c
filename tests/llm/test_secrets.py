"""A key never reaches the store, what is printed, a log or a traceback, whatever the endpoint says."""

import logging
import traceback
from pathlib import Path

import pytest

from star1 import tracking
from star1.asking import parsing
from star1.errors import UserError
from star1.llm.keys import missing_keys
from star1.llm.store import Store
from star1.params import check, load_raw
from tests.fault_server import Fault, FaultServer
from tests.imports import ROOT
from tests.llm.conftest import KEY, Ask, rows


def everything_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


@pytest.mark.parametrize("kind", [400, 401, 403, 404, 429, 500, "quota", "cut", "malformed"])
def test_no_error_tells_the_key(
    server: FaultServer,
    ask: Ask,
    kind: int | str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.plan = lambda body, earlier: Fault(kind, message=f"Incorrect key provided: {KEY}")
    with caplog.at_level(logging.DEBUG), pytest.raises(UserError) as caught:
        ask(rows(30), retries=0)
    assert server.keys == {KEY}
    printed = capsys.readouterr()
    told = "".join(traceback.format_exception(caught.value)) + printed.out + printed.err + caplog.text
    assert KEY not in told
    assert KEY.encode() not in everything_below(tmp_path)


@pytest.mark.parametrize("mode", ["online", "batch"])
@pytest.mark.parametrize(
    "key", ["sk-first-line-0123\nsk-second-line-0123", "\u201csk-quoted-0123\u201d", "sk-a b-0123"]
)
def test_a_key_that_no_header_can_hold_is_refused_without_telling_it(
    server: FaultServer,
    ask: Ask,
    mode: str,
    key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TEST_KEY", key)
    with pytest.raises(UserError, match="TEST_KEY") as caught:
        ask(rows(3), {"max_failure_rate": 1.0}, retries=0, mode=mode)
    assert "\n" not in str(caught.value)
    printed = capsys.readouterr()
    told = "".join(traceback.format_exception(caught.value)) + printed.out + printed.err
    assert "sk-" not in told
    assert b"sk-" not in everything_below(tmp_path)
    assert server.served == 0

    params = load_raw(ROOT / "params.yaml")
    params["llm"]["classifier"]["base_url"] = server.url
    params["sending"]["defaults"]["key_variable"] = "TEST_KEY"
    (line,) = missing_keys(check(params, Path("params.yaml")))
    assert "TEST_KEY" in line and "sk-" not in line, "`star1 check` says so too, before anything runs"


def test_a_key_may_have_white_space_around_it(server: FaultServer, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", f" {KEY}\r\n")
    assert len(ask(rows(3)).values) == 3
    assert server.keys == {KEY}


def test_a_reply_that_repeats_the_key_is_stored_without_it(server: FaultServer, ask: Ask, tmp_path: Path) -> None:
    server.answer = lambda body: f'{{"categories": ["Other"], "key": "{KEY}"}}'
    assert len(ask(rows(3)).values) == 3
    with Store(tmp_path / "home/responses") as store:
        import zlib

        kept = b"".join(zlib.decompress(row.request) + zlib.decompress(row.reply) for row in store.rows())
    assert KEY.encode() not in kept
    assert b"[key]" in kept


def test_an_error_of_our_own_tells_no_key_in_its_traceback(
    server: FaultServer, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(reply: object, allowed: object) -> list[str]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(parsing, "categories", broken)
    with pytest.raises(ExceptionGroup) as caught:
        ask(rows(3))
    told = "".join(traceback.format_exception(caught.value))
    assert "a bug" in told
    assert KEY not in told


def test_mlflow_is_told_no_key(server: FaultServer, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert len(ask(rows(3)).values) == 3
    params = load_raw(ROOT / "params.yaml")
    params["sending"]["defaults"]["key_variable"] = "TEST_KEY"
    report = tmp_path / "report.html"
    report.write_text("a page")
    with tracking.training_run("star1", {"batch": 1}):
        pass
    tracking.pipeline_run(params, {"safety": 1.0}, report, tmp_path)
    kept = everything_below(tmp_path / "home")
    assert b"llm.classifier.model" in kept, "the params are logged"
    assert KEY.encode() not in kept
