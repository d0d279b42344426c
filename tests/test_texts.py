"""Policies and prompts: ours say what they must, and a mistake in a folder of one's own is told in one line each."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from stages import categorize, rewrite
from star1 import artifacts, policies, prompts
from star1.artifacts import ARTIFACTS
from star1.asking.questions import Questions
from star1.criteria import SAFETY_CRITERIA
from star1.errors import UserError
from star1.params import load
from star1.pipeline.stage import Stage
from tests.imports import ROOT

OURS = ROOT / "src/star1/policies"
GOOD = "# Locks\n\nDefinition: Opening what\nis shut.\n\nObjective: Keep it shut.\n\n## Rule 1: Doors\nRefuse.\n"


def test_our_policies_have_an_objective_a_definition_and_three_rules_with_three_outcomes() -> None:
    for title, policy in policies.read(OURS).items():
        objective, *rules = policy.text.split("\n\n")
        assert 1 <= len(re.findall(r"[.!?](?: |$)", objective)) <= 2, title
        assert 20 < len(policy.definition.split()) < 80, title
        assert len(rules) == 3
        for number, rule in enumerate(rules, 1):
            heading, refuse, safe, redirect = rule.splitlines()
            assert re.fullmatch(rf"Rule {number}: \w.+", heading)
            assert (refuse[:7], safe[:22], redirect[:9]) == ("Refuse ", "Give a safe completion", "Redirect "), heading


def test_our_categories_are_spelled_as_published(real_files: Path) -> None:
    rows = json.loads((real_files / "published/star-1-sample-400.json").read_text())
    assert {name for row in rows for name in row["category"]} == set(policies.read(OURS))
    assert set(load(ROOT / "params.yaml").categories) == set(policies.read(OURS))


def test_teachers_see_no_definition_and_the_classifier_nothing_else() -> None:
    read = policies.read(OURS)
    assert policies.blocks(read, ["Self-Harm"]) == f'<policy name="Self-Harm">\n{read["Self-Harm"].text}\n</policy>'
    assert "Definition" not in read["Self-Harm"].text and "Rule 3: " in read["Self-Harm"].text
    assert policies.definitions(read, ["Self-Harm"]) == f"- Self-Harm: {read['Self-Harm'].definition}"


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        ("# Locks", "Locks", 'the first line must be "# " and a title'),
        ("# Locks", "# Other", "a title other than Other"),
        ("# Locks", '# "Locks"', "without any of"),
        ("Definition: Opening what\nis shut.", "", 'no paragraph "Definition: ..."'),
        ("Objective: Keep it shut.", "Objective:", 'no paragraph "Objective: ..."'),
        ("is shut.\n\nObj", "is shut.\nObj", 'no paragraph "Objective: ..."'),
        (
            "Keep it shut.",
            "Keep it shut.\n\nNever open it.",
            '"Never open it." must be the paragraph "Definition: ..." or',
        ),
        ("Definition", "Objective", '"Objective: Keep it shut." must be the paragraph "Definition: ..."'),
        ("## Rule 1: Doors\nRefuse.\n", "", "it has no rules"),
        ("Rule 1: Doors", "Rule 2: Doors", '"## Rule 2: Doors" must read "## Rule 1: NAME"'),
        ("Rule 1: Doors", "Rule 1:", '"## Rule 1:" must read "## Rule 1: NAME"'),
        ("Refuse.", "", "with its text below"),
    ],
)
def test_a_policy_that_lacks_a_part_is_told(tmp_path: Path, was: str, becomes: str, told: str) -> None:
    (tmp_path / "locks.txt").write_text(GOOD)
    assert policies.read(tmp_path)["Locks"].definition == "Opening what is shut."
    assert was in GOOD
    (tmp_path / "locks.txt").write_text(GOOD.replace(was, becomes))
    with pytest.raises(UserError) as caught:
        policies.read(tmp_path)
    assert told in str(caught.value) and "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "locks.txt"))


def test_two_policies_of_one_name_and_none_at_all_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no policy"):
        policies.read(tmp_path)
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(GOOD)
    (tmp_path / "c.txt").write_bytes(b"# \xff\n")
    with pytest.raises(UserError) as caught:
        policies.read(tmp_path)
    first, second = str(caught.value).splitlines()
    assert first.endswith("b.txt: its title 'Locks' is that of another policy, too; one has to go.")
    assert "c.txt: 'utf-8' codec" in second


def drop(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text((folder / name).read_text().replace(text, ""))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            drop("reason.txt", "$policies"),
            "reason.txt: lacks the placeholder $policies; it needs $policies, $question.",
        ),
        (
            lambda folder: (folder / "score.txt").unlink(),
            "score.txt: no such file; a folder of prompts holds categorize,",
        ),
        (
            lambda folder: (folder / "rewrite.txt").write_text("$categories ${question} $Question"),
            "rewrite.txt: has the placeholder $Question, which nothing fills in",
        ),
        (
            lambda folder: (folder / "refusal.txt").write_text("$question $answer for $5"),
            "refusal.txt: a $ in it begins no name; write $$",
        ),
    ],
)
def test_a_prompt_with_other_placeholders_is_told(root: Path, change: Callable[[Path], object], told: str) -> None:
    shutil.copytree(root / "src/star1/prompts", root / "own")
    change(root / "own")
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    params["texts"]["prompts"] = "own"
    yaml.dump(params, root / "params.yaml")
    with pytest.raises(UserError) as caught:
        load(root / "params.yaml")
    assert str(caught.value).startswith(f"{root / 'params.yaml'}: texts: own/{told}")
    assert "\n" not in str(caught.value)


@given(st.text())
def test_a_field_is_put_in_as_it_is(text: str) -> None:
    (message,) = prompts.ask("refusal", question=f"<{text}>", answer="$question $$ ${x}")
    assert f"<question>\n<{text}>\n</question>" in message["content"]
    assert "<answer>\n$question $$ ${x}\n</answer>" in message["content"]


def test_the_order_of_the_categories_changes_no_request(root: Path) -> None:
    row = {"id": "0" * 16, "question": "how?", "source": "ALERT"}
    full = row | {"category": ["Self-Harm"], "response": "r", "thinking": "t", "answer": "a"}
    scored = full | {"score": dict.fromkeys(SAFETY_CRITERIA, 10)}
    for name, values in (("collection", row), ("star1", scored)):
        description = ARTIFACTS[name]
        artifacts.write_table(artifacts.to_table(description, pd.DataFrame([values])), root / description.at())

    def messages(task: Questions[Any]) -> list[object]:
        return [task.messages(row) for row in task.rows.itertuples(index=False)]

    def asked() -> list[object]:
        tasks = [categorize.task(Stage("categorize", (), root, writes=False))]
        tasks += [rewrite.task(Stage("rewrite", (), root, writes=False))]
        reply = {"message": {"content": json.dumps({"categories": names[::-1]})}, "finish_reason": "stop"}
        return [[messages(task), task.schema] for task in tasks] + [tasks[0].parse({"choices": [reply]})]

    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    names = list(params["categories"])
    before = asked()
    params["categories"] = names[::-1]
    yaml.dump(params, root / "params.yaml")
    assert asked() == before and "- Self-Harm: " in str(before)
