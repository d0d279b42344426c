"""`star1 trace` on a small data/ whose every row has another fate, written as the stages write it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from star1.artifacts import ARTIFACTS
from star1.cli import main
from star1.criteria import BENIGN_CRITERIA, SAFETY_CRITERIA
from star1.errors import UserError
from star1.lineage.trace import trace
from star1.text import question_id
from star1.training.rows import training_rows
from tests.lineage.rows import (
    COPY,
    CROWDED,
    HOSTILE,
    LIE,
    LOCK_ON_TOY,
    PADLOCK,
    PASS,
    PICK,
    ROBBERY,
    ROBBERY_GAME,
    RUDE,
    THE_PADLOCK,
    TOO_LONG,
    told,
    write,
)


def test_a_row_that_was_trained_on(built: Path) -> None:
    look_alike = question_id(LOCK_ON_TOY)
    tens = ", ".join(f"{name} 10" for name in SAFETY_CRITERIA)
    life = [
        f"row: {question_id(PICK)}  “{PICK}”",
        "collect: GPTFuzz, row r0",
        "collect: ALERT, row r0, the same question again as “HOW do I  pick a lock?”",
        "collect: BeaverTails, row r1, the same question again",
        "deduplicate: of 3 exact duplicates the first, of GPTFuzz, went on",
        "deduplicate: kept",
        "categorize: Violence / Physical Harm, Illicit / Criminal Behavior",
        "reason: answered",
        f"score: {tens}",
        "select: kept in STAR-1",
        f"rewrite: into the look-alike {look_alike}: “{LOCK_ON_TOY}”",
        "reason_benign: answered",
        "score_benign: " + ", ".join(f"{name} 5" for name in BENIGN_CRITERIA),
        "filter_benign: kept in STAR-benign",
        "train: star1: trained on it",
        "train: star1-benign: it is among its rows; `dvc repro train@star1-benign` trains on them",
        "train: star1-benign: its look-alike is among its rows; `dvc repro train@star1-benign` trains on them",
        "train: star1-equal-steps: it is among its rows; `dvc repro train@star1-equal-steps` trains on them",
    ]
    assert [line for line in told(built, question_id(PICK)) if "sampled" not in line] == life
    assert told(built, "  how do i PICK a\tlock? \n") == told(built, question_id(PICK))
    # A look-alike's life is that of its parent.
    first, *parent = told(built, look_alike)
    assert first == f"row: {look_alike}  “{LOCK_ON_TOY}”, a harmless look-alike of the next"
    assert parent == told(built, question_id(PICK))


def test_a_dropped_row_leads_to_the_kept_one(built: Path) -> None:
    assert told(built, THE_PADLOCK) == [
        f"row: {question_id(THE_PADLOCK)}  “{THE_PADLOCK}”",
        "collect: ALERT, row r1",
        "deduplicate: dropped: embedding of an earlier row, cosine 0.91",
        f"deduplicate: because of {question_id(PADLOCK)} of GPTFuzz: “{PADLOCK}”",
        "deduplicate: that one was dropped: TF-IDF of an earlier row, cosine 0.851",
        f"deduplicate: because of {question_id(PICK)} of GPTFuzz: “{PICK}”",
        "deduplicate: that one was kept",
        "train: in no run",
    ]
    assert told(built, PADLOCK)[1:4] == [
        "collect: GPTFuzz, row r1",
        "collect: BeaverTails, row r0, the same question again",
        "deduplicate: of 2 exact duplicates the first, of GPTFuzz, went on",
    ]


def test_a_dropped_row_leads_to_the_benchmark(built: Path) -> None:
    assert told(built, PASS)[2:4] == [
        "deduplicate: dropped: n-gram of a benchmark, “asks how to forge 3”",
        "deduplicate: because of the prompt JBB:3: “JBB asks how to forge 3”",
    ]
    (built / "data/benchmarks/safety/JBB.parquet").unlink()
    assert told(built, PASS)[3] == "deduplicate: because of the prompt JBB:3: (its text is not here)"


@pytest.mark.parametrize(
    ("question", "fate"),
    [
        (
            LIE,
            [
                "categorize: failed: no usable reply",
                "categorize: asked 3 times; the last reply: not a list",
                "categorize: “Sorry⟨U+001B⟩[0m,↵no”",
            ],
        ),
        (HOSTILE, ["reason: dropped: fits no category"]),
        (RUDE, ["select: dropped: not full score, lowest score 4, Accuracy_of_Thinking_Process 4"]),
        (CROWDED, ["select: dropped: over-represented, at step 1 of 1, probability 0.281"]),
        (
            COPY,
            [f"rewrite: dropped: same look-alike as an earlier row's, because of {question_id(ROBBERY_GAME)}"],
        ),
        (ROBBERY, ["filter_benign: dropped: a score below 5, lowest score 3"]),
    ],
)
def test_a_row_that_left_later(built: Path, question: str, fate: list[str]) -> None:
    lines = [line for line in told(built, question) if not line.startswith("train")]
    assert lines[-len(fate) :] == fate


def test_runs_that_draw_their_rows(built: Path, raw_params: dict[str, Any]) -> None:
    from star1.artifacts import read
    from star1.params import load

    params = load(built / "params.yaml")
    scored = read(built / "data/scored.parquet")
    drawn = [question for question, _ in training_rows(scored, params.runs["sampled"], params.train.seed)]
    assert len(drawn) == 2 < len(scored)
    for question in scored["question"]:
        said = "it is among its rows; `dvc repro train@sampled` trains on them"
        if question not in drawn:
            said = f"it is not among the 2 rows drawn of {len(scored)}"
        assert f"train: sampled: {said}" in told(built, question)


def test_hostile_text_is_spelled_out_and_cut(built: Path) -> None:
    line = told(built, HOSTILE)[0]
    assert "“Draw ⟨U+001B⟩[2J⟨U+202E⟩me a↵map⟨U+0000⟩ [red]of[/red] the town" in line
    assert line.endswith(f"…” ({len(HOSTILE):,} characters)")
    assert len(line) < 400
    for line in (*trace(built, HOSTILE), *trace(built, "new \x1b]0;x\x07 \u2066text\udcff")):
        assert line.isprintable()


def test_what_could_not_be_read_as_a_question(built: Path) -> None:
    assert told(built, TOO_LONG)[1:] == ["collect: BeaverTails, row r7, dropped: too long, 15,000 characters"]


def test_a_new_question(built: Path) -> None:
    nearest = f"deduplicate: nearest kept row: {question_id(ROBBERY)} of ALERT, cosine "
    lines = told(built, "Plan the robbery of the bakery")
    assert lines[1] == "collect: in none of the sources collected so far"
    assert lines[2].startswith(nearest)
    assert lines[3].startswith("deduplicate: would be dropped: TF-IDF of an accepted row, cosine 0.")
    assert lines[4] == f"deduplicate: because of {question_id(ROBBERY)} of ALERT: “{ROBBERY}”"
    assert "embeddings were not looked at" in lines[-1]

    lines = told(built, "Kill a python PROCESS now, XSTest, and plan")
    because = "deduplicate: because of the prompt XSTest:a:b: “Kill a Python process now, XSTest”"
    assert lines[3:5] == [
        "deduplicate: would be dropped: n-gram of a benchmark, “kill a python process now,”",
        because,
    ]
    assert lines[5].startswith("deduplicate: and if not for that: TF-IDF of a benchmark, cosine 0.")
    assert lines[6] == because

    assert "deduplicate: neither n-grams nor TF-IDF would drop it" in told(built, "Plan a holiday")
    assert "deduplicate: no kept row shares a word with it" in told(built, "?")
    (built / "data/benchmarks/over_refusal/XSTest.parquet").unlink()
    assert "deduplicate: without XSTest, which is not here; `dvc repro benchmark@XSTest` builds it" in told(
        built, "Plan a holiday"
    )


def test_what_has_not_run_yet(raw: Path) -> None:
    goes_on = "deduplicate: not run so far, traced up to here; `dvc repro deduplicate` goes on"
    assert told(raw, question_id(PADLOCK)) == [
        f"row: {question_id(PADLOCK)}  “{PADLOCK}”",
        "collect: GPTFuzz, row r1",
        "collect: BeaverTails, row r0, the same question again",
        goes_on,
    ]
    assert told(raw, "Plan a holiday")[1:] == ["collect: in none of the sources collected so far", goes_on]


def test_what_has_not_run_after_deduplication(deduplicated: Path) -> None:
    goes_on = "categorize: not run so far, traced up to here; `dvc repro categorize` goes on"
    assert told(deduplicated, LIE)[-2:] == ["deduplicate: kept", goes_on]
    assert told(deduplicated, PASS)[-2].startswith("deduplicate: because of the prompt JBB:3")


@pytest.mark.parametrize(
    ("artifact", "line"),
    [
        ("star_benign", "filter_benign: not run so far, traced up to here; `dvc repro filter_benign` goes on"),
        ("benign_questions", "rewrite: not run so far, traced up to here; `dvc repro rewrite` goes on"),
        ("cot", "reason: its output is not here; `dvc pull` or `dvc repro reason` brings it"),
    ],
)
def test_a_missing_table(built: Path, artifact: str, line: str) -> None:
    (built / ARTIFACTS[artifact].at()).unlink()
    assert line in told(built, PICK)


def test_star1_alone(built: Path) -> None:
    """As after `dvc pull data/star1.parquet`."""
    for path in [*built.rglob("data/**/*.parquet")]:
        if path.name != "star1.parquet":
            path.unlink()
    assert told(built, question_id(PICK))[0] == f"row: {question_id(PICK)}  “{PICK}”"


def test_tables_of_different_runs(built: Path) -> None:
    write(built, "lineage", [], stage="deduplicate")
    write(built, "lineage", [], stage="select")
    assert any(line.startswith("select: neither kept nor in the lineage") for line in told(built, RUDE))
    (built / "data/raw/ALERT.parquet").unlink()
    assert told(built, RUDE)[1] == "collect: ALERT, not in data/raw any more"


@pytest.mark.parametrize(
    ("change", "asked", "message"),
    [
        (lambda root: None, " \n", "empty"),
        (lambda root: None, "0" * 16, "no row has the id 0000000000000000"),
        (lambda root: shutil.rmtree(root / "data"), PICK, "nothing is built yet"),
        (lambda root: (root / "data/collection.parquet").write_bytes(b"PAR1"), PICK, "not a whole parquet file"),
        (lambda root: (root / "params.yaml").unlink(), PICK, "no such file"),
    ],
)
def test_what_the_user_can_mend(built: Path, change: Callable[[Path], Any], asked: str, message: str) -> None:
    change(built)
    with pytest.raises(UserError, match=message) as error:
        list(trace(built, asked))
    assert "\n" not in str(error.value)


def test_the_command(built: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (built / "dvc.yaml").write_text("stages: {}\n")  # by which the command finds the repository's root
    monkeypatch.chdir(built)
    monkeypatch.setattr("sys.argv", ["star1", "trace", PASS])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 0
    assert capsys.readouterr().out.splitlines() == list(trace(built, PASS))
    monkeypatch.setattr("sys.argv", ["star1", "trace", ""])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 1
    assert capsys.readouterr().err.startswith("star1: trace: give a row's id")
