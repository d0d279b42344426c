"""A pipeline that begins with published rows: what it asks for, and what becomes of a source of one's own."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from star1.miniature.teachers import simulator
from star1.text import question_id
from tests import warm
from tests.conftest import commit, edit_params, run
from tests.fault_server import FaultServer, running
from tests.published.conftest import stand_in

ROWS = stand_in()


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    """The simulated teachers on loopback; who is asked again does not err in form, so that calls count rows."""

    def reply(body: dict[str, Any]) -> dict[str, Any]:
        again = {"messages": [*body["messages"], {"role": "assistant", "content": ""}]}
        message: dict[str, Any] = simulator.reply(body | again)["choices"][0]["message"]
        return message

    with running(FaultServer(reply)) as started:
        yield started


def begin(params: Any, server: FaultServer, path: str) -> None:
    """Have the tiny repository begin with the published rows of a file, and with no source."""
    for role in ("classifier", "reasoner", "scorer", "rewriter"):
        params["llm"][role]["base_url"] = server.url
    params["published"] = {"theirs": {"reader": "json", "path": path}}
    params["sources"], params["collect"]["order"] = {}, []
    params["benign"]["rewrite"] = False


@pytest.fixture(scope="module")
def begun(built_once: Path, server: FaultServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny repository, begun with published rows and evaluated."""
    warm.start()
    repository = tmp_path_factory.mktemp("published") / "repository"
    shutil.copytree(built_once, repository, symlinks=True)
    (repository / "data/own").mkdir()
    (repository / "data/own/rows.json").write_text(json.dumps(ROWS))
    edit_params(repository, lambda params: begin(params, server, "data/own/rows.json"))
    run(repository, "dvc", "repro")
    commit(repository)
    return repository


def test_without_a_source_no_teacher_is_asked(begun: Path, server: FaultServer) -> None:
    assert server.served == 0
    assert not list((begun / "data/raw").glob("*"))
    full = pd.read_parquet(begun / "data/full_score.parquet")
    assert full["id"].tolist() == [question_id(row["question"]) for row in ROWS if min(row["score"].values()) == 10]
    star1 = pd.read_parquet(begun / "data/star1.parquet")
    assert len(star1) == 24 and set(star1["id"]) <= set(full["id"])
    assert pd.read_parquet(begun / "data/star1_2k.parquet")["id"].tolist() == star1["id"].tolist()
    assert {"miniature", "star1"} == set(json.loads((begun / "metrics/safety.json").read_text()))
    assert "star1" in (begun / "metrics/report.html").read_text()
    first = next(row for row in ROWS if row["question"] == star1["question"][0])
    told = run(begun, "star1", "trace", first["question"])
    assert f"published      theirs, row {first['id']}, of {first['source']}" == told.splitlines()[1]
    assert "select         kept in STAR-1" in told and "train          star1: trained on it" in told


def test_only_what_is_new_beside_published_rows_is_asked(built_once: Path, begun: Path, server: FaultServer) -> None:
    new = pd.read_parquet(built_once / "data/raw/ALERT.parquet")["question"].tolist()[:40]
    same, near = ROWS[0]["question"].upper(), ROWS[1]["question"].replace("somebody", "anybody")
    pd.DataFrame({"question": [same, near, *new]}).to_csv(begun / "data/own/mine.csv", index=False)

    def change(params: Any) -> None:
        mine = {"reader": "csv", "path": "data/own/mine.csv", "column": "question", "ngram": 12}
        params["sources"], params["collect"]["order"] = {"mine": mine}, ["mine"]

    edit_params(begun, change)
    output = run(begun, "dvc", "repro", "select")
    kept = pd.read_parquet(begun / "data/collection.parquet")
    left = pd.read_parquet(begun / "data/lineage/deduplicate.parquet").set_index("id")
    assert len(kept) + len(left) == 42 and 20 < len(kept) < 40
    assert left.loc[question_id(same), "reason"] == "exact duplicate"
    assert left.loc[question_id(near), "because_of"] == question_id(ROWS[1]["question"])
    categories = pd.read_parquet(begun / "data/categorized.parquet")["category"]
    scored = pd.read_parquet(begun / "data/scored.parquet")
    assert server.served == len(kept) + sum("Other" not in names for names in categories) + len(scored)
    assert f"categorize: {len(kept)} rows: 0 remembered, {len(kept)} to ask" in output
    full = pd.read_parquet(begun / "data/full_score.parquet")
    assert set(full["id"]) & set(scored["id"]) and set(full["id"]) & {question_id(row["question"]) for row in ROWS}
    assert f"published      theirs, row {ROWS[0]['id']}" in run(begun, "star1", "trace", same)
    told = run(begun, "star1", "trace", near)
    assert f"because of {question_id(ROWS[1]['question'])}, published as theirs" in told


def test_the_authors_own_rows(begun: Path, server: FaultServer, real_files: Path) -> None:
    shutil.copy(real_files / "published/star-1-sample-400.json", begun / "data/own")
    edit_params(begun, lambda params: begin(params, server, "data/own/star-1-sample-400.json"))
    before = server.served
    output = run(begun, "dvc", "repro", "train@star1")
    assert server.served == before
    assert "published/theirs: 400 rows, 0 of them without a score" in output
    assert "select: 400 rows in, 24 out; 376 over-represented" in output
