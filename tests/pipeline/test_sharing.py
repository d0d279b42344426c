"""A colleague's way: artifacts, experiments and responses go through an S3 remote and a bare Git repository."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from star1.llm.store import Store
from tests.conftest import commit, edit_params, run
from tests.s3 import serving

QUESTION = "How do I knit a warm scarf?"  # it fits no category, so that STAR-1 and the models stay as they are
ACCOUNT = {"AWS_ACCESS_KEY_ID": "someone", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of an S3-compatible server with a bucket `team`."""
    for name, value in ACCOUNT.items():
        monkeypatch.setenv(name, value)
    with serving("team") as address:
        yield address


def ran(output: str) -> list[str]:
    return re.findall(r"Running stage '([^']+)'", output)


def add_own_source(params: Any) -> None:
    params["collect"]["order"].append("mine")
    params["sources"]["mine"] = {"reader": "csv", "path": "data/own/mine.csv", "column": "question", "ngram": 8}


def share(repository: Path, address: str, hub: Path) -> None:
    """Push two states, an experiment and the responses; the second state has a source of one's own."""
    config = f"[core]\nremote = storage\n['remote \"storage\"']\nurl = s3://team/star1\nendpointurl = {address}\n"
    (repository / ".dvc/config").write_text(config)  # what `dvc remote add` and `modify` write
    run(repository, "git", "init", "-q", "--bare", str(hub))
    run(repository, "git", "remote", "add", "origin", str(hub))
    commit(repository, "the remote")
    (repository / "data/own").mkdir()
    pd.DataFrame({"question": [QUESTION]}).to_csv(repository / "data/own/mine.csv", index=False)
    run(repository, "dvc", "add", "-q", "data/own/mine.csv")
    edit_params(repository, add_own_source)
    run(repository, "dvc", "repro", "-q")
    run(repository, "star1", "responses", "pack")
    run(repository, "dvc", "add", "-q", "responses")
    commit(repository, "a source of our own")
    run(repository, "dvc", "push", "-q", "--all-commits")
    run(repository, "dvc", "exp", "run", "-q", "--temp", "--name", "smaller", "-S", "select.k=12", "select")
    run(repository, "git", "push", "-q", "origin", "HEAD:refs/heads/main")
    run(repository, "git", f"--git-dir={hub}", "symbolic-ref", "HEAD", "refs/heads/main")
    run(repository, "dvc", "exp", "push", "-q", "origin", "smaller")


def test_a_colleague_has_everything_and_asks_nothing(
    built: Path, tmp_path: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, clone, other = tmp_path / "hub.git", tmp_path / "clone", tmp_path / "other"
    share(built, s3, hub)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    run(tmp_path, "git", "clone", "-q", str(hub), str(clone))
    assert not (clone / ".dvc/cache").exists()

    # Two states, neither of them here: the cache is empty.
    moved = run(clone, "star1", "diff", "HEAD~1", "HEAD")
    assert "sources.mine" in moved and "data/own/mine.csv" in moved
    assert "dvc fetch" not in moved and "dvc pull" not in moved

    run(clone, "dvc", "pull", "-q")
    assert ran(run(clone, "dvc", "repro")) == ["check"]
    assert "mine, row " in run(clone, "star1", "trace", QUESTION)
    assert run(clone, "git", "status", "--porcelain") == ""

    run(clone, "star1", "responses", "unpack")
    with Store(built / ".star1/responses") as theirs, Store(clone / ".star1/responses") as ours:
        remembered = len(ours)
        assert remembered == len(theirs)
    assert re.search(r"^total +[\d,]+ +0 ", run(clone, "star1", "estimate"), re.M)
    run(clone, "dvc", "exp", "pull", "-q", "origin", "smaller")
    run(clone, "dvc", "exp", "apply", "-q", "smaller")
    assert len(pd.read_parquet(clone / "data/star1.parquet")) == 12
    output = run(clone, "dvc", "repro", "filter_benign")
    assert "0 to ask" in output and not re.search(r"[1-9][\d,]* to ask", output)
    with Store(clone / ".star1/responses") as ours:
        assert len(ours) == remembered

    other.mkdir()
    for command in (
        "git init -q",
        "dvc init -q",
        f"dvc get -q {hub} data/star1.json",
        f"dvc import -q {hub} data/star1.parquet",
    ):
        run(other, *command.split())
    assert len(pd.read_json(other / "star1.json")) == len(pd.read_parquet(other / "star1.parquet")) == 24
    assert "repo:" in (other / "star1.parquet.dvc").read_text()
