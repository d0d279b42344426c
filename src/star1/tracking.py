"""MLflow: the training curve live, and one run for each execution of the pipeline.

SQLite under .star1 unless MLFLOW_TRACKING_URI says otherwise. Tracking decides nothing: whatever goes wrong with it
costs a warning, never the pipeline.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from star1.pipeline.graph import flat
from star1.pipeline.home import home
from star1.pipeline.stage import is_main_process

if TYPE_CHECKING:
    from star1.training.loop import Curve, Log, Speed

EXPERIMENT = "star1"
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    # A server out of reach should cost seconds, not MLflow's default of minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


@contextmanager
def _run(name: str) -> Iterator[Any]:
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
        mlflow.start_run(run_name=name)
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
    message = " ".join(str(error).split())[:300]
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
    """Yield a function that logs one optimizer step; the first step that cannot be logged is the last one tried."""
    if not is_main_process():
        yield lambda point, speed: None
        return
    with _run(f"train {name}") as mlflow:
        alive = mlflow is not None and _attempt(lambda: mlflow.log_params(settings))

        def log(point: "Curve", speed: "Speed") -> None:
            nonlocal alive
            values = {key: value for key, value in (vars(point) | vars(speed)).items() if key != "step"}
            alive = alive and _attempt(lambda: mlflow.log_metrics(values, step=point.step))

        yield log


def pipeline_run(params: dict[str, Any], metrics: dict[str, Any], report: Path, root: Path) -> None:
    """Log one execution of the pipeline: params, metrics, data sets by DVC's md5, the report, where it comes from."""
    with _run(os.environ.get("DVC_EXP_NAME") or "pipeline") as mlflow:
        if mlflow is None:
            return
        tags = {
            "git_revision": _git_revision(root),
            "dvc_experiment": os.environ.get("DVC_EXP_NAME", ""),
            "dvc_baseline": os.environ.get("DVC_EXP_BASELINE_REV", ""),
        }
        from mlflow.data.meta_dataset import MetaDataset
        from mlflow.data.sources import LocalArtifactDatasetSource

        _attempt(lambda: mlflow.set_tags(tags))
        _attempt(lambda: mlflow.log_params(flat(params)))
        _attempt(lambda: mlflow.log_metrics({k: v for k, v in flat(metrics).items() if v is not None}))
        _attempt(lambda: mlflow.log_artifact(str(report)))
        for path, md5 in lock_hashes(root, "data/").items():
            dataset = MetaDataset(LocalArtifactDatasetSource(path), name=path, digest=md5)
            _attempt(partial(mlflow.log_input, dataset))


def lock_hashes(root: Path, prefix: str) -> dict[str, str]:
    """Return path -> md5 of the outputs below `prefix` that dvc.lock records; none where there is no dvc.lock yet."""
    path = root / "dvc.lock"
    if not path.exists():
        return {}
    stages = YAML(typ="safe").load(path)["stages"]
    outs = (out for stage in stages.values() for out in stage.get("outs", []))
    return {out["path"]: out["md5"] for out in sorted(outs, key=lambda o: o["path"]) if out["path"].startswith(prefix)}


def _git_revision(root: Path) -> str:
    answer = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return answer.stdout.strip()
