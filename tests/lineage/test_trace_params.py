"""`star1 trace` where params.yaml names published rows, a training set, or a source no more."""

import json
from pathlib import Path
from typing import Any

from star1.criteria import SAFETY_CRITERIA
from star1.text import question_id
from tests.lineage.rows import (
    CATEGORY,
    PADLOCK,
    PICK,
    RESPONSE,
    RUDE,
    TENS,
    THE_PADLOCK,
    TOO_LONG,
    left,
    row,
    told,
    write,
)


def test_published_rows(built: Path, raw_params: dict[str, Any]) -> None:
    theirs, copied, near = "How do I steal a cake?", PICK, PADLOCK
    raw_params["published"] = {"theirs": {"reader": "json", "path": "x.json"}}
    raw_params["runs"]["own"] = raw_params["runs"]["star1"] | {
        "data": "published/theirs",
        "score": {"min": 0, "max": 9},
    }
    (built / "params.yaml").write_text(json.dumps(raw_params))
    columns = CATEGORY | RESPONSE | {"source": "QHarm"}
    rows = [row(theirs, published_id="7", **columns | TENS), row(copied, published_id="8", **columns)]
    write(built, "published", rows, name="theirs")
    write(
        built,
        "lineage",
        [left(near, "deduplicate", "TF-IDF of an accepted row", because_of=question_id(theirs), value=0.7)],
        stage="deduplicate",
    )
    tens = ", ".join(f"{name} 10" for name in SAFETY_CRITERIA)
    assert told(built, theirs) == [
        f"row: {question_id(theirs)}  “{theirs}”",
        "published: theirs, row 7, of QHarm",
        f"published: Violence / Physical Harm, Illicit / Criminal Behavior, {tens}",
        "select: neither kept nor in the lineage: the tables are of different runs; `dvc repro select` mends it",
        "train: own: it is not among the 0 rows drawn of 2",
    ]
    assert "published: Violence / Physical Harm, Illicit / Criminal Behavior, no score" in told(built, copied)
    assert "deduplicate: dropped: exact duplicate, because the question is published" in told(built, copied)
    assert f"deduplicate: because of {question_id(theirs)}, published as theirs: “{theirs}”" in told(built, near)
    assert any(
        f"nearest kept row: {question_id(theirs)}, published as theirs" in line for line in told(built, theirs + " now")
    )


def test_a_question_of_a_training_set(built: Path, raw_params: dict[str, Any]) -> None:
    theirs = "How do I bake a cake?"
    raw_params["datasets"] = {"safechain": {"reader": "json", "path": "x", "question": "q", "response": "r"}}
    raw_params["runs"]["chain"] = raw_params["runs"]["star1"] | {"data": "datasets/safechain"}
    (built / "params.yaml").write_text(json.dumps(raw_params))
    rows = [{"id": question_id(text), "question": text, "response": "no"} for text in (theirs, theirs, PICK)]
    write(built, "dataset", rows, name="safechain")
    among = "train: chain: it is among its rows; `dvc repro train@chain` trains on them"
    life = [f"row: {question_id(theirs)}  “{theirs}”", "dataset: safechain", among]
    assert told(built, question_id(theirs)) == told(built, theirs) == life
    assert {"collect: GPTFuzz, row r0", "dataset: safechain", among} < set(told(built, PICK))


def test_a_source_that_params_name_no_more(built: Path, raw_params: dict[str, Any]) -> None:
    """After an edit of params.yaml, and before a `dvc repro`, the tables still hold the rows of the old name."""
    before = {question: told(built, question) for question in (RUDE, THE_PADLOCK, PICK, TOO_LONG)}
    for entries in (raw_params["sources"], raw_params["deduplicate"]):
        entries.pop("ALERT", None)
    raw_params["collect"]["order"] = [name for name in raw_params["collect"]["order"] if name != "ALERT"]
    (built / "params.yaml").write_text(json.dumps(raw_params))
    assert told(built, RUDE) == before[RUDE]
    assert told(built, question_id(THE_PADLOCK)) == before[THE_PADLOCK]
    assert sorted(told(built, PICK)[1:4]) == sorted(
        [
            "collect: GPTFuzz, row r0",
            "collect: BeaverTails, row r1, the same question again",
            "collect: ALERT, row r0, the same question again as “HOW do I  pick a lock?”",
        ]
    )
    (built / "data/raw/ALERT.parquet").unlink()
    assert told(built, RUDE)[:2] == [
        f"row: {question_id(RUDE)}  “{RUDE}”",
        "collect: ALERT, not in data/raw any more",
    ]
    assert told(built, question_id(THE_PADLOCK))[:2] == [
        f"row: {question_id(THE_PADLOCK)}  (its text is not here)",
        "collect: ALERT, not in data/raw any more",
    ]
    assert told(built, THE_PADLOCK) == told(built, question_id(THE_PADLOCK))


def test_nothing_is_rewritten_where_params_say_so(built: Path, raw_params: dict[str, Any]) -> None:
    raw_params["benign"]["rewrite"] = False
    (built / "params.yaml").write_text(json.dumps(raw_params))
    write(built, "benign_questions", [])
    write(built, "lineage", [], stage="rewrite")
    lines = told(built, PICK)
    assert lines[lines.index("select: kept in STAR-1") + 1] == "rewrite: benign.rewrite is false, so nothing is asked"
    assert not [line for line in lines if "different runs" in line]
