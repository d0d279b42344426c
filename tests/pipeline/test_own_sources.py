"""A source of one's own: on a colleague's clone, in an experiment's copy, and beside a mirror that grows."""

import shutil
from pathlib import Path
from typing import Any

from tests import warm
from tests.conftest import commit, copy_repository, edit_params, run, shrink


def own_sources(params: Any) -> None:
    shrink(params)
    params["collect"]["order"] = ["mine", "small", "web"]
    csv = {"reader": "csv", "column": "question", "ngram": 8}
    params["sources"] = {
        "mine": {**csv, "path": "data/own/mine.csv"},
        "small": {**csv, "path": "data/own/small.csv"},
        "web": {"reader": "text", "path": "data/mirror", "url": "https://example.invalid/q.txt", "ngram": 8},
    }


def test_own_sources_reach_a_clone_and_an_experiment(tmp_path: Path) -> None:
    warm.start()
    repository = copy_repository(tmp_path / "repository")
    edit_params(repository, own_sources)
    for folder in ("data/own", "data/mirror/example.invalid"):
        (repository / folder).mkdir(exist_ok=True)
    for name in ("own/mine.csv", "own/small.csv", "mirror/example.invalid/q.txt"):
        (repository / "data" / name).write_text(f"question\nHow do I knit a {Path(name).stem}?\n")
    run(repository, "git", "add", "data/own/small.csv")
    run(repository, "dvc", "add", "-q", "data/own/mine.csv")
    run(repository, "dvc", "repro", "-q", "collect")
    run(repository, "dvc", "remote", "add", "-q", "--default", "storage", str(tmp_path / "storage"))
    commit(repository)
    assert set(run(repository, "git", "ls-files", "data").split()) == {
        "data/mirror/README.md", "data/own/.gitignore", "data/own/mine.csv.dvc", "data/own/small.csv"
    }  # fmt: skip
    run(repository, "dvc", "push", "-q")

    (repository / "data/mirror/other.txt").write_text("What is a loom?\n")
    assert "up to date" in run(repository, "dvc", "status", "collect")
    done = run(repository, "dvc", "exp", "run", "--temp", "-S", "collect.max_chars=9000", "collect")
    assert {f"collect/{name}: " in done for name in ("mine", "small", "web")} == {True}

    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "-q", str(repository), str(clone))
    run(clone, "dvc", "pull", "-q", "--with-deps", "collect")
    output = run(clone, "dvc", "repro", "collect")
    assert [line for line in output.splitlines() if line.startswith("Running")] == ["Running stage 'check':"]

    shutil.rmtree(clone / "data/own")  # not pulled, say
    for command in ("check", "trace knit", "estimate", "responses stats"):
        run(clone, "star1", *command.split())
    told = run(clone, "dvc", "repro", "collect@mine", ok=False)
    assert "data/own/mine.csv" in told and "Traceback" not in told
