"""A row that breaks an artifact's suite stops its stage, which writes nothing, and the pipeline."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from star1.artifacts import ARTIFACTS
from tests.conftest import edit_params, run
from tests.published.conftest import stand_in
from tests.quality.test_gate import PLANTED

STAGE_OF = {
    "raw": "collect@ALERT",
    "benchmark": "benchmark@XSTest",
    "published": "published@theirs",
    "dataset": "dataset@theirs",
    "collection": "deduplicate",
    "categorized": "categorize",
    "cot": "reason",
    "scored": "score",
    "full_score": "select",
    "star1": "select",
    "benign_questions": "rewrite",
    "benign_cot": "reason_benign",
    "benign_scored": "score_benign",
    "star_benign": "filter_benign",
    "star1_2k": "filter_benign",
    "lineage": "select",
    "failures": "categorize",
    "labelled": "labelled@harmless-replies",
    "agreement": "agreement@harmless-replies",
    "generations": "generate@miniature",
    "judgements": "judge@miniature",
}


def plant(repository: Path, artifact: str) -> None:
    """Change the copy's `Stage.write` so that it spoils every row of one artifact."""
    column, value, _ = PLANTED[artifact]
    code = repository / "src/star1/pipeline/stage.py"
    line = "        description = ARTIFACTS[artifact]\n"
    spoilt = (
        f"        if artifact == {artifact!r}:\n            frame = frame.assign({column}=[{value!r}] * len(frame))\n"
    )
    if artifact == "failures":  # the tiny run has none: make one
        spoilt = (
            f"        if artifact == {artifact!r}:\n            frame.loc[0] = ['0' * 16, self.name, 'x', 0, None]\n"
        )
    text = code.read_text()
    assert text.count(line) == 1
    code.write_text(text.replace(line, line + spoilt))


def assert_says(output: str, artifact: str) -> None:
    assert ARTIFACTS[artifact].path.split("{")[0] in output
    assert "failed on" in output
    assert "Data Docs: " in output
    assert "Traceback" not in output


def enter_rows(repository: Path) -> None:
    """Give params.yaml an entry for published rows and one for a training set, which the tiny repository has not."""
    entry = {"reader": "json", "path": "data/own/rows.json"}

    def change(params: Any) -> None:
        params["published"] = {"theirs": dict(entry)}
        params["datasets"] = {"theirs": entry | {"question": "question", "response": "response"}}

    edit_params(repository, change)
    (repository / "data/own").mkdir()
    (repository / "data/own/rows.json").write_text(json.dumps(stand_in(4)))


@pytest.mark.parametrize("artifact", STAGE_OF)
def test_the_stage_stops_there_and_writes_nothing(built: Path, artifact: str) -> None:
    plant(built, artifact)
    if artifact in ("published", "dataset"):
        enter_rows(built)
    pattern = re.sub(r"\{\w+\}", "*", ARTIFACTS[artifact].path)
    before = {file: file.read_bytes() for file in built.glob(pattern)}
    module, _, key = STAGE_OF[artifact].partition("@")
    output = run(built, "python", "-m", f"stages.{module}", *filter(None, [key]), ok=False)
    assert_says(output, artifact)
    assert {file: file.read_bytes() for file in built.glob(pattern)} == before


def test_nothing_runs_after_it(built: Path) -> None:
    plant(built, "cot")
    output = run(built, "dvc", "repro", "--force", "--downstream", "reason", ok=False)
    assert re.findall(r"Running stage '([^']+)'", output) == ["reason"]
    assert_says(output, "cot")


def test_every_artifact_has_its_case() -> None:
    assert set(STAGE_OF) == set(ARTIFACTS)
