"""Real Git and DVC repositories of hand-written artifacts, which DVC commits as outputs of stages that never run."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from dvc.repo import Repo
from ruamel.yaml import YAML

from star1.artifacts import ARTIFACTS

TYPES = {name: column.type for artifact in ARTIFACTS.values() for name, column in artifact.columns.items()}
Tables = Mapping[str, list[dict[str, Any]]]


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def repository(root: Path) -> Path:
    """Make an empty Git and DVC repository."""
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    Repo.init(str(root)).close()
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n    autostage = false\n")
    (root / ".gitignore").write_text("/data/*\n")
    return root


def save(root: Path, tables: Tables, params: Mapping[str, Any], texts: Mapping[str, str], message: str = "") -> None:
    """Write a state, a stage for each table, and let DVC commit it; Git too if there is a message."""
    write_tables(root, tables)
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    YAML().dump(dict(params), root / "params.yaml")
    stages = {Path(path).stem + str(number): path for number, path in enumerate(sorted(tables))}
    graph = {"stages": {name: {"cmd": "exit 1", "outs": [path]} for name, path in stages.items()}}
    YAML().dump(graph, root / "dvc.yaml")
    with Repo(str(root)) as repo:
        repo.commit(force=True)
    if message:
        git(root, "add", "-A")
        git(root, "commit", "-qm", message)


def write_tables(root: Path, tables: Tables) -> None:
    for path, rows in tables.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table(rows), root / path)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    """Return rows, at least one, as a table; columns of the pipeline have its types."""
    arrays = {name: pa.array([row[name] for row in rows], TYPES.get(name)) for name in rows[0]}
    return pa.table(arrays)


def row(row_id: str, question: str, source: str = "ALERT", **more: Any) -> dict[str, Any]:
    return {"id": row_id, "question": question, "source": source, **more}


def left(row_id: str, stage: str, reason: str, **more: Any) -> dict[str, Any]:
    line = {"id": row_id, "source": "ALERT", "stage": stage, "outcome": "dropped", "reason": reason}
    return line | {"because_of": None, "value": None, "detail": None} | more


def reply(prompt_id: str, verdict: str, sample: int = 0, **more: Any) -> dict[str, Any]:
    said = f"{prompt_id}, sample {sample}: {verdict}"
    row = {
        "suite": "reasoning",
        "task": "number",
        "benchmark": "Sums",
        "prompt_id": prompt_id,
        "prompt": f"What is {prompt_id}?",
        "sample": sample,
        "response": said,
        "thinking": None,
        "answer": said,
        "verdict": verdict,
        "success": verdict in ("correct", "nearly"),
    }
    return row | more
