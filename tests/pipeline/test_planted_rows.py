"""A row that breaks an artifact's suite stops the pipeline at that artifact, and nothing after it runs."""

import re
from pathlib import Path

import pytest

from star1.artifacts import ARTIFACTS
from tests.conftest import run
from tests.quality.test_gate import PLANTED

pytestmark = pytest.mark.xdist_group("pipeline")

STAGE_OF = {
    "raw": "collect@ALERT",
    "benchmark": "benchmark@XSTest",
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


@pytest.mark.parametrize("artifact", STAGE_OF)
def test_the_pipeline_stops_there(built: Path, artifact: str) -> None:
    plant(built, artifact)
    output = run(built, "dvc", "repro", "--force", "--downstream", STAGE_OF[artifact], ok=False)
    assert re.findall(r"Running stage '([^']+)'", output) == [STAGE_OF[artifact]]
    assert f"{ARTIFACTS[artifact].path.split('{')[0]}" in output
    assert "failed on" in output
    assert "Data Docs: " in output
    assert "Traceback" not in output


def test_every_artifact_has_its_case() -> None:
    assert set(STAGE_OF) == set(ARTIFACTS)
