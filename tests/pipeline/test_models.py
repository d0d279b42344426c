"""The model half in a real DVC repository: bases and runs are entries, generated replies are remembered one by one."""

import json
import shutil
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from star1.llm.store import Store
from tests import generating
from tests.conftest import edit_params, run
from tests.forked import forkserver


def ran(output: str) -> set[str]:
    """Return the stages that `dvc repro --dry` would run, or `dvc repro` ran."""
    return {line.split("'")[1] for line in output.splitlines() if line.startswith("Running stage '")}


def generated(repository: Path) -> int:
    """Return how many replies of models under evaluation are remembered."""
    with Store(repository / ".star1/responses") as store:
        return sum(row[2] for row in store.models() if row[0] == "model")


def logged_diff(repository: Path) -> str:
    """Return the page diff.html of the last execution that MLflow knows."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{repository / '.star1/mlflow.db'}")
    last, *_ = mlflow.search_runs(
        search_all_experiments=True, filter_string="tags.kind = 'pipeline'", order_by=["start_time DESC"],
        max_results=1, output_format="list",
    )  # fmt: skip
    return str(mlflow.artifacts.load_text(f"{last.info.artifact_uri}/diff.html"))


def test_bases_and_runs_are_entries_and_each_run_is_compared_with_its_own_base(built: Path) -> None:
    def change(params: Any) -> None:
        params["bases"]["other"] = dict(params["bases"]["miniature"]) | {"seed": 7}
        params["bases"]["alone"] = {"source": "folder", "path": "kept/model"}
        star1 = dict(params["runs"]["star1"])
        params["runs"]["tuned"] = star1 | {"base": "other", "think": "empty", "train": {"learning_rate": 0.001}}
        params["evaluate"]["models"] = ["miniature", "star1", "other", "tuned", "alone"]

    run(built, "cp", "-r", "models/miniature", "kept")
    (built / "kept/model").mkdir()
    for file in list((built / "kept").iterdir()):
        if file.is_file():
            file.rename(built / "kept/model" / file.name)
    edit_params(built, change)
    stages = ran(run(built, "dvc", "repro"))
    assert {"base@other", "base@alone", "train@tuned", "generate@tuned", "judge@alone", "report"} <= stages
    assert not stages & {"base@miniature", "train@star1", "generate@star1", "judge@miniature", "deduplicate"}
    details = json.loads((built / "metrics/evaluation.json").read_text())
    assert details["bases"] == {
        "miniature": "miniature", "star1": "miniature", "other": "other", "tuned": "other", "alone": "alone"
    }  # fmt: skip
    assert {name for name, of in details["suites"]["safety"].items() if "change" in of} == {"star1", "tuned"}
    for suite in ("safety", "over_refusal", "reasoning"):
        figures = json.loads((built / f"metrics/{suite}.json").read_text())
        assert figures["alone"] == figures["miniature"], "the same weights in another folder give the same replies"
    card = (built / "models/tuned/README.md").read_text()
    assert '"learning_rate": 0.001' in card and "models/other" in card
    page = (built / "metrics/report.html").read_text()
    assert all(name in page for name in details["models"])
    assert "runs.tuned.train.learning_rate" in logged_diff(built), "what moved since HEAD"


def test_a_benchmark_more_generates_its_own_prompts_alone(built: Path) -> None:
    def change(params: Any) -> None:
        params["benchmarks"]["JBB"] = dict(params["benchmarks"]["StrongREJECT"]) | {"rows": 10}
        params["suites"]["safety"].append("JBB")

    before = generated(built)
    edit_params(built, change)
    run(built, "dvc", "repro", "judge@star1", "judge@miniature")
    assert generated(built) - before == 2 * 10


def test_two_samples_more_generate_themselves_alone(built: Path) -> None:
    def sample(count: int) -> None:
        def change(params: Any) -> None:
            params["evaluate"]["protocol"] = "recommended"
            params["evaluate"]["protocols"]["recommended"] |= {"samples": 1, "samples_of": {"XSTest": count}}

        edit_params(built, change)
        run(built, "dvc", "repro", "generate@star1")

    sample(1)
    before = generated(built)
    sample(3)
    assert generated(built) - before == 30 * 2


def test_killed_generations_are_not_generated_again(built: Path) -> None:
    lock = (built / "dvc.lock").read_text()
    shutil.rmtree(built / ".star1/responses")
    context = forkserver()
    done = 0
    for _ in range(10):
        process = context.Process(target=generating.run, args=(built, "star1"))
        process.start()
        while process.is_alive() and generated(built) < done + 5:
            time.sleep(0.01)
        process.kill()
        process.join()
        assert generated(built) >= done
        done = generated(built)
    output = run(built, "dvc", "repro", "--force", "--single-item", "generate@star1")
    assert f"generate/star1: 90 rows: {done} remembered, {90 - done} to ask" in output
    assert (built / "dvc.lock").read_text() == lock, "killed or not, the texts are the same"


def test_what_describes_rebuilds_nothing_but_the_page(built: Path) -> None:
    def notes(params: Any) -> None:
        params["report"]["notes"]["star1"] = "another line"

    def order(params: Any) -> None:
        params["evaluate"]["models"] = ["star1", "miniature"]

    def removal(params: Any) -> None:
        params["runs"] = {}
        params["evaluate"]["models"] = ["miniature"]

    def dry(change: Any) -> set[str]:
        before = (built / "params.yaml").read_bytes()
        edit_params(built, change)
        stages = ran(run(built, "dvc", "repro", "--dry"))
        (built / "params.yaml").write_bytes(before)
        return stages - {"check"}

    assert dry(notes) == {"report"}
    assert dry(order) == {"evaluate", "report"}
    assert dry(removal) <= {"evaluate", "report"}
    with (built / "src/star1/report/page.css").open("a") as file:
        file.write("/* a comment */\n")
    with (built / "src/star1/training/card.py").open("a") as file:
        file.write("# a comment\n")
    assert ran(run(built, "dvc", "repro", "--dry")) == {"report"}


@pytest.mark.parametrize(
    ("keys", "value", "stages"),
    [
        ("bases.miniature.seed", 3, {"base@miniature"}),
        ("train.seed", 3, {"train@star1"}),
        ("runs.star1.think", "empty", {"train@star1"}),
        ("evaluate.protocols.paper.top_p", 0.9, {"generate@miniature", "generate@star1"}),
        ("benchmarks.XSTest.max_tokens", 9, {"generate@miniature", "generate@star1"}),
        ("llm.guard.model", "other", {"judge@miniature", "judge@star1"}),
    ],
)
def test_what_decides_rebuilds(built: Path, keys: str, value: Any, stages: set[str]) -> None:
    def change(params: Any) -> None:
        *sections, last = keys.split(".")
        for section in sections:
            params = params[section]
        params[last] = value

    edit_params(built, change)
    assert stages <= ran(run(built, "dvc", "repro", "--dry"))


def test_rows_of_a_source_that_is_gone_are_counted_nowhere(built: Path) -> None:
    edit_params(built, lambda params: params["sources"].pop("ALERT"))  # collect.order still names it
    output = run(built, "dvc", "repro", "deduplicate")
    assert "removed 2 files" in output or "removed 3 files" in output
    assert not list((built / "data/raw").glob("ALERT*"))
    assert not list((built / "data/rows/collect").glob("ALERT*"))
    assert ran(run(built, "dvc", "repro", "deduplicate")) == set()


def test_an_estimate_says_how_many_replies_are_pending(built: Path) -> None:
    (output,) = [
        line for line in run(built, "star1", "estimate", "generate").splitlines() if line.startswith("generate@star1")
    ]
    assert output.split()[1:3] == ["90", "0"]
    with closing(Store(built / ".star1/responses")) as store:
        store.forget(lambda key: False, True)

    def speed(params: Any) -> None:
        flags = {"tensor-parallel-size": 2}
        params["sending"]["roles"]["model"] = {"tokens_per_s": 0.1, "vllm": {"python": None, "flags": flags}}

    edit_params(built, speed)
    (output,) = [
        line for line in run(built, "star1", "estimate", "generate").splitlines() if line.startswith("generate@star1")
    ]
    assert output.split()[1:3] == ["90", "90"]
    assert output.split()[4:6] == ["720", "4.0"], "90 replies of 8 tokens at most, two GPUs"
