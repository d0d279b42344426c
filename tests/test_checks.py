"""What `star1 check` says before anything is generated: access, what is not pinned, what cannot be judged here."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from star1.checks import check_repository, missing_access, prepare_folders, warnings
from star1.errors import UserError
from star1.evaluation.grading.sandbox import run
from star1.params import check
from tests.imports import ROOT

PATH = ROOT / "params.yaml"
HUB = {
    "suite": "safety", "task": "harm_by_text", "max_tokens": 8, "reader": "hub", "path": "data/mirror",
    "dataset": "owner/set", "revision": "main", "gated": True, "prompt": "q",
}  # fmt: skip


def test_a_file_that_no_stage_wrote_is_not_removed(root: Path) -> None:
    ours, half, mine = (root / "data/raw" / name for name in ("Gone.parquet", ".ALERT.parquet.x1y2.tmp", "mine.csv"))
    ours.parent.mkdir(parents=True, exist_ok=True)
    for file in (ours, half, mine):
        file.write_text("x")
    (root / "dvc.lock").write_text(
        json.dumps({"stages": {"collect@Gone": {"outs": [{"path": "data/raw/Gone.parquet"}]}}})
    )
    with pytest.raises(UserError, match=r"\Adata/raw/mine\.csv is no output of a stage"):
        prepare_folders(root)
    assert ours.exists() and half.exists() and mine.exists()
    mine.unlink()
    assert prepare_folders(root) == [half, ours]


@pytest.mark.parametrize("path", ["data/raw/x.csv", "./data/raw/x.csv", "data//lineage/x.csv"])
def test_no_entry_reads_where_stages_write(raw_params: dict[str, Any], path: str) -> None:
    raw_params["sources"]["ALERT"] = {"reader": "csv", "path": path, "column": "q"}
    with pytest.raises(UserError, match=r"sources\.ALERT.*must not lie in a folder that the pipeline writes"):
        check(raw_params, PATH)


def test_a_gated_data_set_needs_a_token_or_a_copy(
    raw_params: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    assert missing_access(check(raw_params, PATH), tmp_path) == []
    raw_params["benchmarks"]["JBB"] = HUB
    params = check(raw_params, PATH)
    (line,) = missing_access(params, tmp_path)
    assert line.startswith("benchmarks.JBB: owner/set is gated: accept its terms at https://huggingface.co/datasets/o")
    assert "environment variable HF_TOKEN" in line
    (tmp_path / "data/mirror/owner__set").mkdir(parents=True)
    assert missing_access(params, tmp_path) == []
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "hf_x")
    assert missing_access(params, ROOT) == []


def test_what_is_not_pinned_is_told(raw_params: dict[str, Any]) -> None:
    raw_params["benchmarks"]["JBB"] = HUB
    told = "benchmarks.JBB.revision: main moves; name the commit of owner/set that you fetch"
    assert warnings(check(raw_params, PATH)) == [told]


def test_a_sandbox_that_cannot_start_is_told_before_anything_is_generated(
    raw_params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    raw_params["benchmarks"]["Arithmetic"]["task"] = "code"
    monkeypatch.setattr(run, "PROTECTIONS", {})
    run._choose.cache_clear()
    try:
        (line,) = warnings(check(raw_params, PATH))
    finally:
        run._choose.cache_clear()
    assert line.startswith(
        "benchmarks.Arithmetic: its replies will be unjudged: no sandbox for generated code holds on"
    )


@pytest.mark.parametrize(
    ("section", "name", "value", "told"),
    [
        (
            "second_judges",
            "safety",
            "harm_by_text",
            "evaluate.second_judges.safety: harm_by_text is the first judge of",
        ),
        ("second_judges", "safety", "moon", "evaluate.second_judges.safety: there is no task 'moon'; those of"),
        (
            "second_judges",
            "over_refusal",
            "harm_by_text",
            "evaluate.second_judges.over_refusal: harm_by_text judges suite safety, not over_refusal; there are harm",
        ),
        ("second_judges", "reasoning", "guard", "evaluate.second_judges.reasoning.[key]: String should match pattern"),
        ("agreement", "labels", {"label": "fine"}, "agreement.harmless-replies.labels: 'fine' is no verdict of harml"),
        ("agreement", "task", "guard", "llm.guard.base_url: the simulator plays no judge, and agreement.harmless-rep"),
        ("agreement", "reader", "text", "agreement.harmless-replies.reader: Input should be 'csv', 'json', 'jsonl' "),
    ],
)
def test_a_judge_that_cannot_be_asked_is_named(
    raw_params: dict[str, Any], section: str, name: str, value: Any, told: str
) -> None:
    where = raw_params["agreement"]["harmless-replies"] if section == "agreement" else raw_params["evaluate"][section]
    where[name] = value
    with pytest.raises(UserError) as caught:
        check_repository(check(raw_params, PATH), ROOT)
    assert told in str(caught.value) and "\n" not in str(caught.value)


def test_a_task_of_another_suite_is_named(raw_params: dict[str, Any]) -> None:
    """Its successes would be failures: whoever answers would count as safe."""
    raw_params["benchmarks"]["JBB"]["task"] = "refusal_text"
    told = "benchmarks.JBB.task: refusal_text judges suite over_refusal, not safety; there are guard, harm_by_text, qw"
    with pytest.raises(UserError, match=re.escape(told)):
        check_repository(check(raw_params, PATH), ROOT)


def test_a_reasoning_benchmark_without_answers_is_named(raw_params: dict[str, Any]) -> None:
    raw_params["benchmarks"]["Arithmetic"] = {**HUB, "suite": "reasoning", "task": "aime", "gated": False}
    with pytest.raises(UserError, match=r"benchmarks\.Arithmetic: suite reasoning needs answer: the column"):
        check(raw_params, PATH)
