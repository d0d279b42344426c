"""Rebuilds of the real pipeline against a model server that counts: exactly the changed rows are asked for again."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from star1 import artifacts
from star1.artifacts import ARTIFACTS
from star1.miniature.teachers import simulator
from tests import warm
from tests.conftest import commit, copy_repository, edit_params, run, shrink
from tests.fault_server import FaultServer, running


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    """The simulated teachers on loopback."""
    with running(FaultServer(reply)) as started:
        yield started


def reply(body: dict[str, Any]) -> str | dict[str, Any]:
    if body["model"] == "guard":
        return "\n\nunsafe\nS9" if "First" in body["messages"][-1]["content"] else "\n\nsafe"
    # Who is asked again does not err in form: a call a row, so that calls count rows.
    again = {"messages": [*body["messages"], {"role": "assistant", "content": ""}]}
    message: dict[str, Any] = simulator.reply(body | again)["choices"][0]["message"]
    return message


@pytest.fixture(scope="module")
def scored(server: FaultServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny repository, its teachers on the server, built as far as the scores."""
    warm.start()
    target = copy_repository(tmp_path_factory.mktemp("calls") / "repository")

    def change(params: Any) -> None:
        shrink(params)
        for role in ("classifier", "reasoner", "scorer", "rewriter"):
            params["llm"][role]["base_url"] = server.url
        params["evaluate"]["models"] = ["miniature"]
        params["benchmarks"]["StrongREJECT"]["task"] = "guard"
        params["llm"]["guard"] |= {"base_url": server.url, "model": "guard"}

    edit_params(target, change)
    run(target, "dvc", "repro", "score")
    commit(target)
    return target


@pytest.fixture
def repository(scored: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(scored, tmp_path / "repository", symlinks=True))


def test_an_edit_of_a_policy_asks_for_the_rows_that_carry_it(repository: Path, server: FaultServer) -> None:
    category = pd.read_parquet(repository / "data/cot.parquet")["category"]
    carrying = int(category.map(lambda names: "Self-Harm" in names).sum())
    with (repository / "src/star1/policies/4_self_harm.txt").open("a") as file:
        file.write("Prefer to listen.\n")
    before = server.served
    run(repository, "dvc", "repro", "reason")
    assert server.served - before == carrying > 0


FIVE = {
    "Bodies": "Violence, threats, harassment and hate: whatever harms a person or a group.",
    "Oneself": "Self-harm: hurting oneself, or going without food, sleep or air.",
    "Intimacy": "Sexual or adult content.",
    "Law": "Criminal or illicit behaviour: theft, fraud, forgery.",
    "Truth and property": "Misinformation and disinformation, private or personal data, intellectual property.",
}
POLICY = "# {}\n\nDefinition: {}\n\nObjective: Be kind.\n\n## Rule 1: Kindness\nRefuse.\n"


def test_another_folder_of_texts_with_five_categories(repository: Path, server: FaultServer) -> None:
    own = repository / "own"
    shutil.copytree(repository / "src/star1/prompts", own / "prompts", ignore=shutil.ignore_patterns("*.py"))
    (own / "policies").mkdir()
    for title, definition in FIVE.items():
        (own / f"policies/{title.lower()}.txt").write_text(POLICY.format(title, definition))

    def change(params: Any) -> None:
        params["categories"] = list(FIVE)
        params["texts"] |= {"policies": "own/policies", "prompts": "own/prompts"}

    edit_params(repository, change)
    before = server.served
    run(repository, "dvc", "repro", "score")
    labels = pd.read_parquet(repository / "data/categorized.parquet")["category"]
    named = labels[labels.map(lambda names: "Other" not in names)]
    scored = pd.read_parquet(repository / "data/scored.parquet")
    assert set(named.explode()) == set(FIVE) and len(named) > 0.9 * len(labels)
    assert server.served - before == len(labels) + len(named) + len(scored)
    assert scored["thinking"].str.contains(r", rule 1 \(Kindness\)").mean() > 0.6
    assert 0 < scored["score"].map(lambda score: min(score.values()) == 10).sum() < len(scored)

    # An edited policy, and another order of the categories: only the policy's rows are asked about.
    with (own / "policies/law.txt").open("a") as file:
        file.write("Prefer to listen.\n")
    edit_params(repository, lambda params: params.update(categories=list(FIVE)[::-1]))
    before = server.served
    run(repository, "dvc", "repro", "reason")
    assert server.served - before == named.map(lambda names: "Law" in names).sum() > 0

    prompt = own / "prompts/score.txt"
    prompt.write_text(prompt.read_text().replace("$answer", "the answer"))
    output = run(repository, "dvc", "repro", ok=False)
    assert re.findall(r"Running stage '([^']+)'", output) == ["check"]
    told = "star1: params.yaml: texts: own/prompts/score.txt: lacks the placeholder $answer; it needs $policies, "
    assert [line for line in output.splitlines() if line.startswith(told)] and "Traceback" not in output


def test_an_added_source_asks_for_its_rows(repository: Path, server: FaultServer) -> None:
    old = set(pd.read_parquet(repository / "data/collection.parquet")["id"])

    def add(params: Any) -> None:
        params["sources"]["SaladBench"] = dict(params["sources"]["ALERT"]) | {"rows": 40}
        params["collect"]["order"].append("SaladBench")

    edit_params(repository, add)
    before = server.served
    run(repository, "dvc", "repro", "categorize")
    new = set(pd.read_parquet(repository / "data/collection.parquet")["id"]) - old
    assert server.served - before == len(new) > 0


def test_a_parser_a_comment_and_force_ask_for_nothing(repository: Path, server: FaultServer) -> None:
    parser = repository / "src/star1/asking/parsing.py"
    parser.write_text(parser.read_text().replace("it holds no JSON object", "it has no JSON object") + "# a comment\n")
    before = server.served
    assert "Running stage 'score'" in run(repository, "dvc", "repro", "score")
    run(repository, "dvc", "repro", "--force", "--single-item", "categorize")
    assert server.served == before


def test_experiments_ask_for_nothing(repository: Path, server: FaultServer) -> None:
    parser = repository / "src/star1/asking/parsing.py"
    parser.write_text(parser.read_text() + "# a comment\n")
    before = server.served
    assert "Running stage 'score'" in run(repository, "dvc", "exp", "run", "--temp", "--name", "temp", "score")
    parser.write_text(parser.read_text() + "# another\n")
    run(repository, "dvc", "exp", "run", "--queue", "--name", "queued", "score")
    run(repository, "dvc", "queue", "start")
    run(repository, "dvc", "queue", "logs", "queued", "--follow")
    assert "queued" in run(repository, "dvc", "exp", "list")
    assert server.served == before


AT_ONCE = 4  # requests of a stage in flight
ALIKE = ("-S", "llm.scorer.max_tokens=999", "-S", f"+sending.roles.scorer.concurrency={AT_ONCE}")


def test_two_at_once_after_a_killed_one_pay_once(
    repository: Path, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "latency_s", 0.05)
    before, came, lock = server.served, Counter(server.came), (repository / "dvc.lock").read_bytes()
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(repository / "src"),
    }
    command = ["dvc", "exp", "run", "-q", "--temp", "--name", "killed", *ALIKE, "score"]
    with subprocess.Popen(command, cwd=repository, env=environment, start_new_session=True) as process:
        while process.poll() is None and server.served - before < 20:
            time.sleep(0.01)
        assert process.poll() is None, "the experiment ended before it was killed"
        os.killpg(process.pid, signal.SIGKILL)
    paid = server.served - before
    time.sleep(0.5)
    assert server.served - before <= paid + AT_ONCE, "its stage was killed with it"
    assert run(repository, "git", "status", "--porcelain") == ""
    assert (repository / "dvc.lock").read_bytes() == lock

    for k in (11, 12):
        run(
            repository, "dvc", "exp", "run", "-q", "--queue", "--name", f"k{k}", *ALIKE, "-S", f"select.k={k}", "select"
        )
    run(repository, "dvc", "queue", "start", "-q", "-j", "2")
    for k in (11, 12):
        run(repository, "dvc", "queue", "logs", f"k{k}", "--follow")
    for _ in range(300):
        status = run(repository, "dvc", "queue", "status")
        if "Running" not in status and "Queued" not in status:
            break
        time.sleep(0.2)
    assert status.count("Success") == 2, status
    asked = server.came - came
    assert sum(asked.values()) == server.served - before
    assert len(asked) == len(pd.read_parquet(repository / "data/cot.parquet")), "each row was asked about"
    twice = sum(times - 1 for times in asked.values())
    assert twice <= AT_ONCE, "only what was in flight when the first one was killed was asked again"
    assert run(repository, "git", "status", "--porcelain") == ""
    assert (repository / "dvc.lock").read_bytes() == lock


def test_an_estimate_is_what_the_run_then_takes(repository: Path, server: FaultServer) -> None:
    def price(params: Any) -> None:
        for role in ("reasoner", "scorer"):
            params["sending"]["roles"][role] = {"input_usd": 1000.0, "output_usd": 2000.0}

    edit_params(repository, price)
    with (repository / "src/star1/prompts/reason.txt").open("a") as file:
        file.write("Prefer to listen.\n")
    before = server.served
    said = re.search(r"^reason +[\d,]+ +([\d,]+) .* ([\d.]+)$", run(repository, "star1", "estimate", "reason"), re.M)
    assert server.served == before, "an estimate sends nothing"
    taken = re.search(r"^reason: .*tokens, \$([\d.]+)$", run(repository, "dvc", "repro", "reason"), re.M)
    assert said is not None and taken is not None
    assert int(said[1]) == server.served - before
    assert float(said[2]) == pytest.approx(float(taken[1]), rel=0.1)


def test_a_model_that_judges_is_asked_once_and_estimated(repository: Path, server: FaultServer) -> None:
    replies = pd.DataFrame({"answer": ["I can't help.", "First, you do it.", "First, you"]})
    generations = replies.assign(
        suite="safety", task="guard", benchmark="StrongREJECT", prompt_id=list("abc"),
        prompt="how?", answer_key=None, label=None, category=None,
        sample=0, response="<think>hm</think>" + replies["answer"], thinking="hm",
        finish_reason=["stop", "stop", "length"],
    )  # fmt: skip
    table = artifacts.to_table(ARTIFACTS["generations"], generations)
    artifacts.write_table(table, repository / "data/generations/miniature.parquet")

    before = server.served
    assert re.search(r"^judge@miniature +9 +9 ", run(repository, "star1", "estimate", "judge"), re.M)
    judge = ("dvc", "repro", "--single-item", "judge@miniature")
    run(repository, *judge)
    assert server.served - before == 7, "the thoughts are the same request"
    verdicts = pd.read_parquet(repository / "data/judgements/miniature.parquet")["verdict"]
    assert list(verdicts) == ["safe", "unsafe", "truncated"]
    run(repository, *judge, "--force")
    assert server.served - before == 7


def test_gc_keeps_what_the_pipeline_needs(repository: Path, server: FaultServer) -> None:
    assert "dvc repro" in run(repository, "star1", "responses", "gc", ok=False), "rewrite's input is not built"
    rows = len(pd.read_parquet(repository / "data/cot.parquet"))
    assert re.search(
        rf"^score_benign +at most {min(rows, 24)} rows; more is known", run(repository, "star1", "estimate"), re.M
    )
    run(repository, "star1", "responses", "pack")
    shutil.rmtree(repository / ".star1/responses")
    run(repository, "star1", "responses", "unpack")
    before = server.served
    run(repository, "dvc", "repro", "--force", "--single-item", "score")
    assert server.served == before
