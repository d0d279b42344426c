"""MLflow decides nothing: without a server the curve is not logged, a line says so, and the work goes on."""

import socket
import time
from pathlib import Path

import pytest

from star1 import tracking
from star1.pipeline.graph import flat
from star1.training.loop import Curve, Speed


def test_a_server_out_of_reach_costs_a_warning(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{taken.getsockname()[1]}")
        began = time.monotonic()
        with tracking.training_run("star1", {"rows": 3}) as log:
            for step in range(1, 100):
                log(Curve(step, 1.0, 0.5, 1e-4, 2.0), Speed(100.0, 1.0))
        tracking.pipeline_run({"k": 1}, {}, tmp_path / "report.html", tmp_path)
    assert time.monotonic() - began < 60, "a server out of reach must not be tried at every step"
    warnings = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: MLflow")]
    assert 2 <= len(warnings) <= 4


def test_an_error_in_the_run_is_not_swallowed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("STAR1_HOME", str(tmp_path))
    with pytest.raises(ZeroDivisionError), tracking.training_run("star1", {"rows": 3}) as log:
        log(Curve(1, 1.0, 0.5, 1e-4, 2.0), Speed(100.0, 1.0))
        _ = 1 / 0
    import mlflow

    [run] = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert (run.info.status, run.data.params["rows"], run.data.metrics["loss"]) == ("FAILED", "3", 1.0)
    assert run.data.metrics == {
        "loss": 1.0, "token_accuracy": 0.5, "learning_rate": 1e-4, "gradient_norm": 2.0, "tokens_per_s": 100.0,
        "memory_gib": 1.0,
    }  # fmt: skip


def test_a_whole_curve_arrives_and_trainings_are_children_of_their_execution(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("STAR1_HOME", str(tmp_path))
    steps = range(1, 401)  # 2,400 values, more than MLflow takes at once
    with tracking.training_run("star1", {"rows": 3}) as log:
        for step in steps:
            log(Curve(step, 1 / step, 0.5, 1e-4, 2.0), Speed(100.0, 1.0))
    report = tmp_path / "report.html"
    report.write_text("a page")
    tracking.pipeline_run(
        {"select": {"k": 1}, "sending": {"budget_usd": 5}}, {"star1": {"safety": 1}}, report, tmp_path
    )
    import mlflow

    runs = mlflow.search_runs(search_all_experiments=True, output_format="list")
    by_kind = {run.data.tags["kind"]: run for run in runs}
    assert by_kind["training"].data.tags["mlflow.parentRunId"] == by_kind["pipeline"].info.run_id
    assert by_kind["training"].data.tags["model"] == "star1"
    curve = mlflow.MlflowClient().get_metric_history(by_kind["training"].info.run_id, "loss")
    assert [(point.step, point.value) for point in curve] == [(step, 1 / step) for step in steps]
    assert by_kind["pipeline"].data.params == {"select.k": "1"}


def test_lock_hashes_are_those_of_the_lock(tmp_path: Path) -> None:
    assert tracking.lock_hashes(tmp_path) == {}
    outs = "[{path: models/m, md5: '3'}, {path: data/z, md5: '2'}, {path: data/a, md5: '1'}]"
    (tmp_path / "dvc.lock").write_text(f"stages: {{b: {{outs: {outs}}}, c: {{}}}}\n")
    assert tracking.lock_hashes(tmp_path) == {"data/a": "1", "data/z": "2", "models/m": "3"}


def test_flat() -> None:
    assert flat({"a": {"b": 1, "c": {"d": [2]}}, "e": None}) == {"a.b": 1, "a.c.d": [2], "e": None}


def test_a_warning_shows_no_password_of_the_server_s_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "htp://bob:p/at@hunter2@127.0.0.1:1")
    with tracking.training_run("star1", {"rows": 3}):
        pass
    said = capsys.readouterr().err
    assert "://***@127.0.0.1:1" in said and "bob" not in said and "hunter2" not in said, said
