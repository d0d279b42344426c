"""The stage judge where a model judges: who is asked about what, and which verdict comes of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stages.judge import judge
from star1 import artifacts
from star1.artifacts import ARTIFACTS
from star1.evaluation.statistics import summarise
from star1.llm import pending
from star1.llm.store import Store
from star1.pipeline.stage import Stage
from star1.report.results import finding
from tests.conftest import edit_params
from tests.fault_server import Fault, FaultServer, running

# Thought, answer and finish_reason of a reply, and what each judge makes of it.
REPLIES = [
    ("they mean well", "Here is how.", "stop"),
    ("bad: how one does it", "I can't help.", "stop"),
    ("hm", "First: bad. Then: bad.", "stop"),
    ("hm", "bad, and then it was cut", "length"),
    ("", "  ", "stop"),
    (None, "odd", "stop"),
]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with running(FaultServer(answer)) as started:
        yield started


def answer(body: dict[str, Any]) -> str:
    """A guard that finds "bad" unsafe, and a classifier of refusals; both at a loss with what is odd."""
    text = body["messages"][-1 if body["model"] == "guard" else 0]["content"]
    if body["model"] == "guard":
        return "what?" if "odd" in text else "\n\nunsafe\nS9,S2" if "bad" in text else "\n\nsafe"
    said = text[text.index("<answer>") :]
    named = "partial_refusal" if "Then" in said else "full_refusal" if "can't" in said else "full_compliance"
    return "odd indeed" if "odd" in said else f'{{"class": "{named}"}}'


def judged(root: Path, server: FaultServer, suite: str, model: str = "base") -> pd.DataFrame:
    """Run the stage over REPLIES and return its judgements."""

    def change(params: Any) -> None:
        params["evaluate"]["judges"] = {"safety": "guard", "over_refusal": "classes", "reasoning": "text"}
        params["llm"]["guard"] |= {"base_url": server.url, "model": "guard"}
        params["llm"]["judge"] |= {"base_url": server.url, "model": "judge"}
        params["llm"]["max_failure_rate"] = 0.7
        params["sending"]["judge"]["key_variable"] = None

    edit_params(root, change)
    generations = pd.DataFrame(
        {
            "benchmark": "B", "prompt_id": [str(n) for n in range(len(REPLIES))], "prompt": "how?", "answer_key": None,
            "label": None, "category": None, "sample": 0,
            "response": [f"<think>{thought}</think>{text}" if thought else text for thought, text, _ in REPLIES],
            "thinking": pd.Series([thought for thought, _, _ in REPLIES], dtype=object),
            "answer": [text for _, text, _ in REPLIES], "finish_reason": [reason for _, _, reason in REPLIES],
        }
    )  # fmt: skip
    description = ARTIFACTS["generations"]
    artifacts.write_table(artifacts.to_table(description, generations), root / description.at(model=model, suite=suite))
    judge(Stage("judge", (model, suite), root), model, suite)
    return artifacts.read(root / ARTIFACTS["judgements"].at(model=model, suite=suite))


def test_a_guard_sees_the_whole_output_its_thought_and_its_answer(root: Path, server: FaultServer) -> None:
    found = judged(root, server, "safety")
    assert list(found["verdict"]) == ["safe", "unsafe", "unsafe", "truncated", "garbled", "unjudged"]
    assert list(found["thinking_verdict"]) == ["safe", "unsafe", "safe", None, None, None]
    assert list(found["answer_verdict"]) == ["safe", "safe", "unsafe", None, None, None]
    assert list(found["hazards"]) == [[], ["S2", "S9"], ["S2", "S9"], None, None, None]
    assert server.served == 3 * 3 + 1, "none about a cut or empty output, one about what is whole and answer at once"
    failed = artifacts.read(root / "data/failures/judge/base/safety.parquet")
    assert list(failed["id"]) == ["B/5/0/answer", "B/5/0/whole"]
    assert set(failed["last_reply"]) == {"what?"}
    judged(root, server, "safety")
    assert server.served == 10, "all of it is remembered, the failures too"


def test_a_guard_is_sent_the_conversation_it_judges(root: Path, server: FaultServer) -> None:
    sent: list[Any] = []
    server.plan = lambda body, earlier: sent.append(body["messages"])
    judged(root, server, "safety")
    assert [
        {"role": "user", "content": "how?"},
        {"role": "assistant", "content": "<think>bad: how one does it</think>I can't help."},
    ] in sent


def test_classes_of_refusals_are_told_by_the_answer(root: Path, server: FaultServer) -> None:
    found = judged(root, server, "over_refusal")
    assert list(found["verdict"]) == ["answered", "refused", "partial", "truncated", "garbled", "unjudged"]
    assert found["hazards"].isna().all() and found["thinking_verdict"].isna().all()
    assert server.served == 3 + 3, "the odd one is asked again twice"
    failed = artifacts.read(root / "data/failures/judge/base/over_refusal.parquet")
    assert list(failed["id"]) == ["B/5/0/answer"]


def test_what_the_judge_will_not_look_at_is_no_success(root: Path, server: FaultServer) -> None:
    server.plan = lambda body, earlier: (
        Fault(400, code="content_filter") if "bad" in body["messages"][-1]["content"] else None
    )
    found = judged(root, server, "safety").assign(model="base", suite="safety")
    assert list(found["verdict"])[:3] == ["safe", "unjudged", "unjudged"]
    figures = summarise(found, "base")[1]["suites"]["safety"]["base"]["benchmarks"]["B"]
    assert figures["value"] == pytest.approx(100 / 6, abs=1e-3)
    assert figures["counts"] == {"safe": 1, "garbled": 1, "unjudged": 3, "truncated": 1}


def test_thoughts_and_answers_have_figures_of_their_own(root: Path, server: FaultServer) -> None:
    models = [judged(root, server, "safety", model).assign(model=model, suite="safety") for model in ("base", "star1")]
    evaluation = summarise(pd.concat(models, ignore_index=True), "base")[1]
    details = evaluation["suites"]["safety"]["star1"]
    assert {part: (figure["value"], figure["n"]) for part, figure in details["parts"].items()} == {
        "thinking": (pytest.approx(200 / 3, abs=1e-3), 3),
        "answer": (pytest.approx(200 / 3, abs=1e-3), 3),
    }
    assert details["parts"]["thinking"]["counts"] == {"safe": 2, "unsafe": 1}
    (group,) = finding(evaluation)
    rows = {row["title"]: row["figures"] for row in group["rows"]}
    assert rows["thoughts alone, by the guard"][1] == details["parts"]["thinking"]
    assert rows["answers alone, by the guard"][1] == details["parts"]["answer"]


def test_the_text_judge_asks_nobody(root: Path, server: FaultServer) -> None:
    judged(root, server, "safety")
    before = server.served
    edit_params(root, lambda params: params["evaluate"]["judges"].update(safety="text"))
    judge(Stage("judge", ("base", "safety"), root), "base", "safety")
    found = artifacts.read(root / "data/judgements/base/safety.parquet")
    assert list(found["verdict"]) == ["garbled", "refused", "garbled", "truncated", "garbled", "garbled"]
    assert found[["hazards", "thinking_verdict", "answer_verdict"]].isna().all(axis=None)
    assert artifacts.read(root / "data/failures/judge/base/safety.parquet").empty
    assert server.served == before


def test_judges_stand_in_the_estimate(root: Path, server: FaultServer) -> None:
    judged(root, server, "safety")
    edit_params(root, lambda params: params["evaluate"].update(models=["base"]))
    with Store(root / "home/responses") as store:
        looks = {stage: pending.look(store, root, *stage) for stage in pending.stages(root, ["judge"])}
    assert list(looks) == [("judge", "base", "safety"), ("judge", "base", "over_refusal")]
    known = looks["judge", "base", "safety"]
    assert known is not None
    assert (known.rows, known.to_ask) == (11, 0)
    assert looks["judge", "base", "over_refusal"] is None, "its replies are not generated yet"
    assert "judge@base-over_refusal           more is known" in pending.table(root, looks)
