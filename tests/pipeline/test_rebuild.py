"""`dvc repro` rebuilds what changed and nothing else; model calls are paid for once; mistakes stop before any work."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest

from star1.llm import pending
from star1.llm.requests import Request
from star1.llm.store import Store
from tests.conftest import commit, edit_params, run


def ran(output: str) -> list[str]:
    return re.findall(r"Running stage '([^']+)'", output)


def asked(output: str) -> dict[str, int]:
    return {
        stage: int(n.replace(",", ""))
        for stage, n in re.findall(r"^(\w+): .* remembered, ([\d,]+) to ask", output, re.M)
    }


def test_a_second_repro_does_nothing(built: Path) -> None:
    assert ran(run(built, "dvc", "repro")) == []
    assert "up to date" in run(built, "dvc", "status")
    assert run(built, "git", "status", "--porcelain") == ""


def test_every_row_is_accounted_for(built: Path) -> None:
    counts = {file.stem: json.loads(file.read_text()) for file in (built / "data/rows").rglob("*.json")}
    for stage, count in counts.items():
        assert count["in"] == count["out"] + sum(count["dropped"].values()), stage
    chain = [
        "deduplicate",
        "categorize",
        "reason",
        "score",
        "select",
        "rewrite",
        "reason_benign",
        "score_benign",
        "filter_benign",
    ]
    assert sum(counts[source]["out"] for source in ("HarmfulQA", "ALERT")) == counts["deduplicate"]["in"]
    for before, after in pairwise(chain):
        assert counts[before]["out"] == counts[after]["in"]


def test_a_comment_in_a_stage_re_runs_that_stage_alone(built: Path) -> None:
    with (built / "stages/score.py").open("a") as file:
        file.write("# a comment\n")
    output = run(built, "dvc", "repro")
    assert ran(output) == ["score"]
    assert asked(output) == {"score": 0}


def test_an_edit_of_plumbing_re_runs_nothing(built: Path) -> None:
    for name in ("pipeline/stage.py", "tracking.py", "llm/endpoints/url.py", "training/card.py", "params.py"):
        with (built / "src/star1" / name).open("a") as file:
            file.write("# a comment\n")
    assert ran(run(built, "dvc", "repro")) == []


def test_an_edit_of_one_source_s_entry_collects_that_source_alone(built: Path) -> None:
    edit_params(built, lambda params: params["sources"]["HarmfulQA"].update(rows=91))
    stages = ran(run(built, "dvc", "repro", "deduplicate"))
    assert stages == ["check", "collect@HarmfulQA", "deduplicate"]


def test_an_edit_of_a_policy_asks_again_for_the_rows_that_carry_it(built: Path) -> None:
    import pandas as pd

    carrying = pd.read_parquet(built / "data/cot.parquet")["category"].map(lambda names: "Self-Harm" in names).sum()
    with (built / "src/star1/policies/4_self_harm.txt").open("a") as file:
        file.write("Prefer to listen.\n")
    output = run(built, "dvc", "repro", "reason")
    assert ran(output) == ["check", "categorize", "reason"]
    assert asked(output)["categorize"] == 0, "the definitions are as they were"
    lengths = json.loads((built / "data/rows/reason.json").read_text())["dropped"].get("no usable reply", 0)
    assert carrying <= asked(output)["reason"] <= carrying + lengths


def test_a_smaller_k_asks_nothing_and_the_run_cache_brings_the_old_state_back(built: Path) -> None:
    before = len(Store(built / ".star1/responses"))
    output = run(built, "dvc", "exp", "run", "--name", "smaller", "-S", "select.k=12", "filter_benign")
    assert ran(output) == ["check", "select", "rewrite", "reason_benign", "score_benign", "filter_benign"]
    assert asked(output) == {"rewrite": 0, "reason_benign": 0, "score_benign": 0}
    assert len(Store(built / ".star1/responses")) == before
    assert json.loads((built / "data/rows/select.json").read_text())["out"] == 12
    commit(built)
    edit_params(built, lambda params: params["select"].update(k=24))
    output = run(built, "dvc", "repro", "filter_benign")
    assert "Stage 'select' is cached" in output
    assert asked(output) == {}


def test_a_larger_k_asks_for_the_new_rows_alone_even_in_a_temporary_copy(built: Path) -> None:
    run(built, "dvc", "exp", "run", "--temp", "--name", "larger", "-S", "select.k=30", "filter_benign")
    edit_params(built, lambda params: params["select"].update(k=34))
    output = run(built, "dvc", "repro", "rewrite")
    assert asked(output) == {"rewrite": 4}


def test_after_gc_a_forced_run_asks_nothing_and_gives_the_same_lock(built: Path) -> None:
    with Store(built / ".star1/responses") as store:
        needed = len(store)
        store.put(Request("scorer", "http://x", {"model": "m", "messages": []}), {"choices": []})
    assert re.match(r"1 responses, .* would be dropped \(--drop", run(built, "star1", "responses", "gc"))
    assert len(Store(built / ".star1/responses")) == needed + 1
    assert re.match(r"1 responses, .* MiB, dropped;", run(built, "star1", "responses", "gc", "--drop"))
    assert len(Store(built / ".star1/responses")) == needed
    lock = (built / "dvc.lock").read_text()
    targets = ("train@star1", "filter_benign", "generate@miniature", "judge@miniature")
    output = run(built, "dvc", "repro", "--force", *targets)
    assert asked(output) == dict.fromkeys(pending.INPUTS, 0)
    assert (built / "dvc.lock").read_text() == lock
    assert "up to date" in run(built, "dvc", "status", "filter_benign")


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("select.k", 0, "select.k: Input should be greater than 0 (it is '0')"),
        ("categories", ["Bad Manners"], "categories: 'Bad Manners' has no policy"),
        (
            "sources.ALERT.path",
            "data/mirror/gone.csv",
            "sources.ALERT: path: neither git nor DVC keeps data/mirror/gone.csv",
        ),
        ("train.epochs", 3, "train.epochs: Extra inputs are not permitted"),
    ],
)
def test_a_mistake_stops_before_any_work_in_one_line(built: Path, key: str, value: object, told: str) -> None:
    def change(params: dict) -> None:
        *sections, last = key.split(".")
        for section in sections:
            params = params[section]
        params[last] = value

    edit_params(built, change)
    output = run(built, "dvc", "repro", ok=False)
    assert ran(output) == ["check"]
    assert f"star1: params.yaml: {told}" in output
    assert "Traceback" not in output


def test_the_runs_are_in_mlflow(built: Path) -> None:
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{built / '.star1/mlflow.db'}")
    runs = {run_.info.run_name: run_ for run_ in mlflow.search_runs(search_all_experiments=True, output_format="list")}
    assert set(runs) == {"train star1", "pipeline"}
    pipeline = runs["pipeline"]
    assert pipeline.data.params["select.k"] == "24"
    assert pipeline.data.tags["git_revision"]
    assert "safety.star1" in pipeline.data.metrics
    assert "data/star1.parquet" in {dataset.dataset.name for dataset in pipeline.inputs.dataset_inputs}
    losses = mlflow.MlflowClient().get_metric_history(runs["train star1"].info.run_id, "loss")
    assert len(losses) == 3


def test_the_page_and_the_plots_show_the_same_run(built: Path) -> None:
    page = (built / "metrics/report.html").read_text()
    assert "small synthetic world" in page
    for model in ("miniature", "star1"):
        assert model in page
    assert "metrics/safety.json" in run(built, "dvc", "metrics", "show")
    run(built, "dvc", "plots", "show", "--out", "plots")
    assert (built / "plots/index.html").exists()
