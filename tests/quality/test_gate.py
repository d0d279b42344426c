"""The quality gate: for every artifact a good table passes, and a planted bad row is stopped, named and shown."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from star1 import artifacts
from star1.artifacts import ARTIFACTS, MAY_BE_EMPTY
from star1.criteria import BENIGN_CRITERIA, SAFETY_CRITERIA
from star1.errors import UserError
from star1.evaluation.judging import verdict_words
from star1.quality import client
from tests.imports import ROOT, is_empty_package

IDS = ["00000000000000aa", "00000000000000bb"]
TEN, FIVE = dict.fromkeys(SAFETY_CRITERIA, 10), dict.fromkeys(BENIGN_CRITERIA, 5)
VALUES: dict[str, Any] = {
    "id": IDS,
    "question": ["how do I open my door?", "NA"],
    "source": ["ALERT", "GPTFuzz"],
    "source_id": ["0", "1"],
    "published_id": ["7", "8"],
    "category": [["Self-Harm"], ["Violence / Physical Harm", "Self-Harm"]],
    "thinking": ["hm", "well"],
    "answer": ["no", "yes"],
    "response": ["<think>\nhm\n</think>\n\nno", "<think>\nwell\nso\n</think>\n\nyes"],
    "score": [TEN, TEN],
    "parent": IDS[::-1],
    "stage": ["reason", "reason"],
    "outcome": ["dropped", "failed"],
    "reason": ["exact duplicate", "no usable reply"],
    "because_of": [IDS[0], None],
    "value": [0.5, None],
    "detail": [None, "a b c"],
    "attempts": [1, 3],
    "last_reply": ["?", None],
    "suite": ["safety", "safety"],
    "task": ["guard", "guard"],
    "success": [True, False],
    "paper_verdict": ["safe", None],
    "paper_success": [True, None],
    "thinking_success": [True, None],
    "answer_success": [None, False],
    "second_verdict": ["safe", None],
    "second_success": [True, None],
    "second_thinking_verdict": [None, "unsafe"],
    "second_thinking_success": [None, False],
    "second_answer_verdict": [None, None],
    "second_answer_success": [None, None],
    "extracted": [None, "3"],
    "benchmark": ["JBB", "JBB"],
    "prompt_id": ["0", "1"],
    "prompt": ["how?", "why?"],
    "answer_key": ["3", None],
    "label": ["plain", None],
    "sample": [0, 0],
    "finish_reason": ["stop", "length"],
    "verdict": ["refused", "truncated"],
    "hazards": [["S1", "S10"], None],
    "thinking_verdict": ["safe", None],
    "answer_verdict": [None, "unsafe"],
}
# For each artifact a column and a value of its second row that must not pass, and the expectation that says so.
PLANTED: dict[str, tuple[str, Any, str]] = {
    "raw": ("question", "  ", "match_regex failed on column question"),
    "benchmark": ("prompt_id", "0", "be_unique failed on column prompt_id"),
    "published": ("published_id", "7", "be_unique failed on column published_id"),
    "dataset": ("response", " ", "match_regex failed on column response"),
    "collection": ("id", IDS[0], "be_unique failed on column id"),
    "categorized": ("category", ["Weather"], "match_regex failed on column category"),
    "cot": ("response", "no thought here", "match_regex failed on column response"),
    "scored": ("score", TEN | {SAFETY_CRITERIA[0]: 11}, "be_between failed on column score.Content_Safety"),
    "full_score": ("category", ["Other"], "not_match_regex failed on column category"),
    "star1": ("answer", "", "be_between failed on column answer"),
    "benign_questions": ("parent", "row 7", "match_regex failed on column parent"),
    "benign_cot": ("thinking", " ", "match_regex failed on column thinking"),
    "benign_scored": ("score", FIVE | {BENIGN_CRITERIA[2]: 0}, "be_between failed on column score.Compliance_Degree"),
    "star_benign": ("id", "UPPER", "match_regex failed on column id"),
    "star1_2k": ("response", "<think></think>", "match_regex failed on column response"),
    "lineage": ("outcome", "lost", "be_in_set failed on column outcome"),
    "failures": ("attempts", 0, "be_between failed on column attempts"),
    "labelled": ("label", " ", "match_regex failed on column label"),
    "agreement": ("verdict", "fine", "be_in_set failed on column verdict"),
    "generations": ("prompt_id", "0", "compound_columns_to_be_unique failed"),
    "judgements": ("verdict", "fine", "be_in_set failed on column verdict"),
}


def good(artifact: str) -> pd.DataFrame:
    frame = pd.DataFrame({name: pd.Series(VALUES[name], dtype=object) for name in ARTIFACTS[artifact].columns})
    if "prompt" in frame:
        frame["category"] = ["Self-Harm", None]
    if artifact in ("labelled", "agreement"):
        frame["label"] = ["answered", "refused"]
    if artifact in ("benign_scored", "star_benign"):
        frame["score"] = [FIVE, FIVE]
    return frame


def ask(tmp_path: Path, artifact: str, frame: pd.DataFrame) -> None:
    table = tmp_path / "candidate.parquet"
    artifacts.write_table(artifacts.to_table(ARTIFACTS[artifact], frame), table)
    keys = {"source": "s", "suite": "s", "benchmark": "b", "stage": "s", "model": "m", "name": "n", "judge": "j"}
    target = ARTIFACTS[artifact].at(**keys)
    categories = ["Self-Harm", "Violence / Physical Harm"]
    client.check(artifact, table, target, tmp_path / "docs", categories, verdict_words())


def shown(message: str) -> str:
    """Return the page that the message links."""
    return Path(message.rpartition("Data Docs: file://")[2]).read_text()


def test_every_artifact_has_a_planted_fault() -> None:
    assert set(PLANTED) == set(ARTIFACTS)


@pytest.mark.parametrize("artifact", PLANTED)
def test_a_planted_row_stops_at_its_artifact(tmp_path: Path, artifact: str) -> None:
    frame = good(artifact)
    ask(tmp_path, artifact, frame)
    column, value, told = PLANTED[artifact]
    frame.at[1, column] = value
    with pytest.raises(UserError) as caught:
        ask(tmp_path, artifact, frame)
    message = str(caught.value)
    assert told in message
    assert ARTIFACTS[artifact].path.split("{")[0] in message
    assert shown(message).startswith("<!DOCTYPE html>"), "Data Docs are there to open"


def test_the_offending_row_is_shown(tmp_path: Path) -> None:
    frame = good("scored")
    frame.at[1, "score"] = TEN | {SAFETY_CRITERIA[0]: 11}
    with pytest.raises(UserError, match=rf"1 of 2 rows break it, such as row {IDS[1]}: '11'"):
        ask(tmp_path, "scored", frame)


def test_a_script_in_a_row_is_shown_and_not_run(tmp_path: Path) -> None:
    frame = good("cot")
    frame.at[1, "response"] = '<script>document.title = "ran"</script><img src=x onerror="document.title = 1">'
    with pytest.raises(UserError) as caught:
        ask(tmp_path, "cot", frame)
    page = shown(str(caught.value))
    assert "<script>document" not in page and "<img src=x" not in page
    assert "&lt;script&gt;document.title = &quot;ran&quot;&lt;/script&gt;" in page
    before, _, policy = page.partition('<meta http-equiv="Content-Security-Policy" content="')
    assert "<script" not in before and "<link" not in before
    assert policy.startswith("default-src 'none'; ") and "script-src" not in policy.partition('"')[0]


@pytest.mark.parametrize("artifact", sorted(set(ARTIFACTS) - MAY_BE_EMPTY))
def test_an_empty_table_does_not_pass(tmp_path: Path, artifact: str) -> None:
    with pytest.raises(UserError, match="row_count"):
        ask(tmp_path, artifact, good(artifact)[:0])


@pytest.mark.parametrize("artifact", sorted(MAY_BE_EMPTY))
def test_an_empty_table_passes_where_nothing_may_be_asked(tmp_path: Path, artifact: str) -> None:
    ask(tmp_path, artifact, good(artifact)[:0])


def test_published_rows_may_lack_scores(tmp_path: Path) -> None:
    for scores in ([None, TEN], [None, None]):
        ask(tmp_path, "published", good("published").assign(score=scores))


@pytest.fixture(scope="module")
def own_gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give this file's tests a gate that no other asks; return its folder.

    A socket's path may have 107 characters at most, so the folder lies outside the test's own.
    """
    tmp_path_factory.getbasetemp()
    with tempfile.TemporaryDirectory() as short, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", short)
        yield short
        kill_gates()


def test_a_gate_outlives_the_checkout_that_started_it(own_gate: str, tmp_path: Path) -> None:
    kill_gates()
    shutil.copytree(ROOT / "src", tmp_path / "copy")
    start = "from star1.quality import client; client.start(); client._ask('[]')"
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "copy"), "TMPDIR": own_gate}
    subprocess.run([sys.executable, "-c", start], env=environment, check=True)
    shutil.rmtree(tmp_path / "copy")
    for artifact in ("categorized", "judgements", "agreement"):
        ask(tmp_path, artifact, good(artifact))


def test_a_table_is_checked_by_the_words_of_the_checkout_that_asks(own_gate: str, tmp_path: Path) -> None:
    """Two checkouts with the same suites share a gate; a task of one of them knows another verdict."""
    kill_gates()
    shutil.copytree(ROOT / "src", tmp_path / "copy")
    task = tmp_path / "copy/star1/evaluation/tasks/harm_by_text.py"
    task.write_text(task.read_text().replace('"garbled"', '"fine"'))
    start = "from star1.quality import client; client.start(); client._ask('[]')"
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "copy"), "TMPDIR": own_gate}
    subprocess.run([sys.executable, "-c", start], env=environment, check=True)
    frame = good("judgements")
    frame.at[1, "verdict"] = "fine"
    with pytest.raises(UserError, match="be_in_set failed on column verdict"):
        ask(tmp_path, "judgements", frame)


def test_a_long_tmpdir_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of a socket has 107 bytes at most; a cluster's TMPDIR may be longer."""
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    assert len(os.fsencode(client.address())) < 104
    ask(tmp_path, "collection", good("collection"))


def test_the_address_names_all_code_that_the_process_holds() -> None:
    look = (
        "import sys, star1.quality.gate\nprint(*(m.__file__ for n, m in sys.modules.items() if n.startswith('star1')))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    held = subprocess.run([sys.executable, "-c", look], env=environment, check=True, capture_output=True, text=True)
    # A package's __init__ that is a docstring alone decides nothing.
    held_files = {path for path in map(Path, held.stdout.split()) if not is_empty_package(path)}
    assert held_files - set(client.code_files()) == set()


def gates() -> list[int]:
    """Return the numbers of the gate's processes, forks included."""
    found = subprocess.run(["pgrep", "-f", str(client.address())], capture_output=True, text=True, check=False)
    return [int(number) for number in found.stdout.split()]


def alone() -> int:
    """Return the gate's number once it is alone: the fork that answered, or a second gate that found the lock held, may
    live for some milliseconds more.
    """
    give_up = time.monotonic() + 20
    while len(found := gates()) > 1 and time.monotonic() < give_up:
        time.sleep(0.01)
    (gate,) = found
    return gate


def kill_gates() -> None:
    for number in gates():
        os.kill(number, signal.SIGKILL)


def test_a_killed_gate_is_replaced(own_gate: str, tmp_path: Path) -> None:
    ask(tmp_path, "collection", good("collection"))
    kill_gates()
    ask(tmp_path, "collection", good("collection"))


def test_the_gate_forks_from_a_single_thread(own_gate: str, tmp_path: Path) -> None:
    ask(tmp_path, "collection", good("collection"))
    gate = alone()
    threads = {int(task.name): (task / "comm").read_text().strip() for task in Path(f"/proc/{gate}/task").iterdir()}
    assert set(threads.values()) - {threads[gate]} <= {"jemalloc_bg_thd"}, "pyarrow's allocator, which knows of forks"
    assert len(threads) <= 2


def test_a_check_without_end_costs_its_time_limit_and_is_gone(
    own_gate: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(tmp_path, "collection", good("collection"))
    alone()
    monkeypatch.setattr(client, "ANSWER_S", 1)
    endless = pd.DataFrame({name: [VALUES[name][0]] * 10**6 for name in ARTIFACTS["collection"].columns})  # some 10 s
    with pytest.raises(UserError, match=r"^data/collection.parquet: the quality gate gave no answer within 1 s"):
        ask(tmp_path, "collection", endless)
    assert len(gates()) == 2
    alone()  # the worker ended, the gate did not
    monkeypatch.undo()
    ask(tmp_path, "collection", good("collection"))
