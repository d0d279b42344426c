"""MLflow: the training curve live, and one run for each execution of the pipeline.

SQLite under .star1 unless MLFLOW_TRACKING_URI says otherwise. Tracking decides nothing: whatever goes wrong with it
costs a warning, never the pipeline.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from star1.files import parse_yaml
from star1.pipeline.graph import flat
from star1.pipeline.home import home
from star1.pipeline.stage import is_main_process

if TYPE_CHECKING:
    from star1.training.loop import Curve, Log, Speed

EXPERIMENT = "star1"
DESCRIBING = ("sending.", "report.", "collect.order")  # params that decide no result, or are too long to compare
DATA_SETS = {f"data/{name}.parquet" for name in ("full_score", "star1", "star1_2k", "benign/star_benign")}
SEND_S = 2.0
BATCH = 1000  # metrics that MLflow takes at once
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # A server out of reach should cost seconds, not MLflow's default of minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


@contextmanager
def _run(name: str, tags: dict[str, str]) -> Iterator[Any]:
    """Yield mlflow with an active run `name`, or None after a warning where none can be had."""
    for variable, value in QUIET.items():
        os.environ.setdefault(variable, value)
    try:
        import mlflow

        if address := os.environ.get("MLFLOW_TRACKING_URI"):
            mlflow.set_tracking_uri(address)
        else:
            folder = home().resolve()
            folder.mkdir(parents=True, exist_ok=True)
            mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
            if mlflow.get_experiment_by_name(EXPERIMENT) is None:
                mlflow.create_experiment(EXPERIMENT, artifact_location=(folder / "mlflow").as_uri())
        mlflow.set_experiment(EXPERIMENT)
        mlflow.set_experiment_tag("mlflow.experimentKind", "custom_model_development")  # which page the UI opens
        mlflow.start_run(run_name=name)
        mlflow.set_tags(tags | _origin())
    except Exception as error:
        _warn(error)
        yield None
        return
    status = "FAILED"
    try:
        yield mlflow
        status = "FINISHED"
    finally:
        _attempt(lambda: mlflow.end_run(status))


def _warn(error: Exception) -> None:
    # MLflow quotes its address, which may hold a password; one with a slash or an @ in it, too.
    message = re.sub(r"://\S+@", "://***@", " ".join(str(error).split()))[:300]
    print(f"warning: MLflow is not logging ({type(error).__name__}: {message})", file=sys.stderr)


def _attempt(action: Callable[[], object]) -> bool:
    try:
        action()
    except Exception as error:
        _warn(error)
        return False
    return True


@contextmanager
def training_run(name: str, settings: dict[str, Any]) -> Iterator["Log"]:
    """Yield a function that logs one optimizer step; the first steps that cannot be logged are the last ones tried.

    Steps go to MLflow every SEND_S seconds: one at a time takes 5 ms, a tenth of a step of the miniature.
    """
    if not is_main_process():
        yield lambda point, speed: None
        return
    with _run(f"train {name}", {"kind": "training", "model": name}) as mlflow:
        alive = mlflow is not None and _attempt(lambda: mlflow.log_params(settings))
        waiting: list[Any] = []
        sent = time.monotonic()

        def send() -> None:
            nonlocal alive, sent
            for start in range(0, len(waiting), BATCH):
                part = waiting[start : start + BATCH]
                alive = alive and _attempt(partial(_log_batch, mlflow, part))
            waiting.clear()
            sent = time.monotonic()

        def log(point: "Curve", speed: "Speed") -> None:
            if not alive:
                return
            now = round(time.time() * 1000)
            values = {key: float(value) for key, value in (vars(point) | vars(speed)).items() if key != "step"}
            waiting.extend(mlflow.entities.Metric(key, value, now, point.step) for key, value in values.items())
            if time.monotonic() - sent >= SEND_S:
                send()

        try:
            yield log
        finally:
            send()


def _log_batch(mlflow: Any, metrics: list[Any]) -> None:
    mlflow.MlflowClient().log_batch(mlflow.active_run().info.run_id, metrics=metrics)


def pipeline_run(params: dict[str, Any], metrics: dict[str, Any], report: Path, root: Path) -> None:
    """Log one execution of the pipeline: params, metrics, data sets by DVC's md5, the report, where it comes from."""
    with _run(os.environ.get("DVC_EXP_NAME") or "pipeline", {"kind": "pipeline"}) as mlflow:
        if mlflow is None:
            return
        from mlflow.data.meta_dataset import MetaDataset
        from mlflow.data.sources import LocalArtifactDatasetSource

        deciding = {key: value for key, value in flat(params).items() if not key.startswith(DESCRIBING)}
        _attempt(lambda: mlflow.log_params(deciding))
        _attempt(lambda: mlflow.log_metrics({k: v for k, v in flat(metrics).items() if v is not None}))
        _attempt(lambda: mlflow.log_artifact(str(report)))
        _attempt(lambda: _log_diff(mlflow, root))
        hashes = lock_hashes(root)
        for path in sorted(DATA_SETS & hashes.keys()):
            dataset = MetaDataset(LocalArtifactDatasetSource(path), name=path, digest=hashes[path])
            _attempt(partial(mlflow.log_input, dataset))
        # Models by reference: the path and the hash under which DVC keeps them, no copy.
        models = {path: md5 for path, md5 in hashes.items() if path.startswith("models/")}
        _attempt(lambda: mlflow.set_tags(models))
        _attempt(lambda: _adopt(mlflow, mlflow.active_run().info.run_id))


def _log_diff(mlflow: Any, root: Path) -> None:
    """Log the page of `star1 diff` from the baseline, an experiment's commit or HEAD, if anything moved since."""
    baseline = os.environ.get("DVC_EXP_BASELINE_REV") or "HEAD"
    command = ["git", "-C", str(root), "diff", "--quiet", baseline, "--", "params.yaml", "dvc.lock"]
    if subprocess.run(command, capture_output=True, check=False).returncode != 1:  # 0: the same; 128: no commit
        return
    from star1.lineage.diff import diff
    from star1.lineage.diff_page import page

    mlflow.log_text(page(diff(baseline, "workspace")), "diff.html")


def _origin() -> dict[str, str]:
    """Return the tags that lead back: the execution of DVC, its experiment, the Git commit."""
    from star1.llm.budget import this_run

    pid, started = this_run()
    return {
        "execution": f"{pid}-{started:.0f}",
        "git_revision": _git_revision(Path()),
        "dvc_experiment": os.environ.get("DVC_EXP_NAME", ""),
        "dvc_baseline": os.environ.get("DVC_EXP_BASELINE_REV", ""),
    }


def _adopt(mlflow: Any, parent: str) -> None:
    """Make the trainings of this execution children of its run: they ended before it began."""
    query = f"tags.execution = '{_origin()['execution']}' and tags.kind = 'training'"
    for run in mlflow.search_runs([mlflow.active_run().info.experiment_id], query, output_format="list"):
        mlflow.MlflowClient().set_tag(run.info.run_id, "mlflow.parentRunId", parent)


def lock_hashes(root: Path) -> dict[str, str]:
    """Return path -> md5 of the outputs that dvc.lock records; none where there is no dvc.lock yet."""
    path = root / "dvc.lock"
    if not path.exists():
        return {}
    stages = parse_yaml(path.read_bytes())["stages"]
    outs = (out for stage in stages.values() for out in stage.get("outs", []))
    return {out["path"]: out["md5"] for out in sorted(outs, key=lambda o: o["path"])}


def _git_revision(root: Path) -> str:
    answer = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return answer.stdout.strip()
