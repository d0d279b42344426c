"""Reading published rows and training sets: what comes out, and one line for each thing that is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from star1.checks import check_repository
from star1.errors import UserError
from star1.params import check, load_raw
from star1.sources.entries import DatasetEntry, PublishedEntry
from star1.sources.published import read_published
from star1.sources.training_sets import read_dataset
from star1.text import question_id
from tests.published.conftest import CATEGORIES, TENS, row


def read(root: Path, **keys: Any) -> pd.DataFrame:
    return read_published("P", PublishedEntry(**keys), root, CATEGORIES)


def test_rows_get_ids_by_content_and_one_spelling(tmp_path: Path, put: Callable[..., dict[str, Any]]) -> None:
    old = ["harassment/hate/Discrimination", "Harassment / Hate / Discrimination", "Other"]
    found = read(tmp_path, **put(row(7, category=old), row(8, score=None), {"id": 9} | {k: row(9)[k] for k in FIELDS}))
    assert found["id"].tolist() == [question_id(f"How do I open box {n}?") for n in (7, 8, 9)]
    assert found["published_id"].tolist() == ["7", "8", "9"]
    assert found["category"][0] == ["Harassment / Hate / Discrimination", "Other"]
    assert (found["thinking"][0], found["answer"][0]) == ("Box 7?", "With a key.")
    assert found["score"].tolist() == [TENS, None, None]


FIELDS = ("question", "response", "category", "source")


@pytest.mark.parametrize("kind", ["json", "jsonl", "parquet"])
def test_every_kind_of_file_reads_the_same(tmp_path: Path, kind: str, put: Callable[..., dict[str, Any]]) -> None:
    rows = [row(number) for number in range(3)]
    wanted = read(tmp_path, **put(*rows))
    path = tmp_path / f"rows.{kind}"
    if kind == "parquet":
        pd.DataFrame(rows).to_parquet(path)
    else:
        path.write_text(json.dumps(rows) if kind == "json" else "\n".join(map(json.dumps, rows)))
    pd.testing.assert_frame_equal(read(tmp_path, reader=kind, path=path.name), wanted)


def test_the_authors_own_rows(real_files: Path) -> None:
    published = json.loads((real_files / "published/star-1-sample-400.json").read_text(encoding="utf-8"))
    entry = PublishedEntry(reader="json", path="published/star-1-sample-400.json")
    found = read_published("P", entry, real_files, load_raw(Path(__file__).parents[2] / "params.yaml")["categories"])
    assert len(found) == 400 and found["id"].is_unique
    for name in ("question", "response", "category", "source", "score"):
        assert found[name].tolist() == [each[name] for each in published]
    assert found["published_id"].tolist() == [each["id"] for each in published]


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([], "no row in it"),
        ([{k: v for k, v in row().items() if k != "category"}], "there is no column 'category' in row 0"),
        ([row(1), row(1, question="Why?")], r"row 1 \(id 1\): its id is that of an earlier row"),
        ([row(1), row(2, question=" HOW do I open box 1?")], r"row 1 \(id 2\): its question is that of an earlier row"),
        ([row(1, response="No."), row(2, response="No.")], r"row 0 \(id 1\) and 1 more: no thought in its response"),
        ([row(response="<think>\nhm\n</think>\n")], "no answer in its response"),
        (
            [row(score=TENS | {"Content_Safety_Compliance": 11})],
            "score of Content_Safety_Compliance is no whole number",
        ),
        (
            [row(score=TENS | {"Content_Safety_Compliance": "9"})],
            "score of Content_Safety_Compliance is no whole number",
        ),
        ([row(score={"Safety": 10})], "its score is not of Content_Safety_Compliance, Rel"),
        ([row(category=["Self-Harm", "Gossip"])], "category 'Gossip' is unknown; known are Harassment"),
        ([row(category="Self-Harm")], "its category is no list of names"),
        ([row(category=[])], "its category is no list of names"),
        ([row(question=" ")], "its question is empty"),
        ([row(source=None)], "its source is missing"),
        ([row(response="<think>\n\ud800\n</think>\n\nno")], "its response is undecodable"),
    ],
)
def test_each_fault_is_one_line(
    tmp_path: Path, put: Callable[..., dict[str, Any]], rows: list[dict[str, Any]], line: str
) -> None:
    with pytest.raises(UserError, match=rf"\Apublished\.P: [^\n]*{line}[^\n]*\Z"):
        read(tmp_path, **put(*rows))


def test_a_score_of_a_training_set(root: Path) -> None:
    raw = load_raw(root / "params.yaml")
    raw["datasets"] = {"d": {"reader": "csv", "path": "d.csv", "question": "q", "response": "r"}}
    raw["runs"]["star1"] |= {"data": "datasets/d", "score": {"min": 0, "max": 8}}
    with pytest.raises(UserError, match=r"runs\.star1\.score: rows of datasets have no scores; set it to null"):
        check(raw, root / "params.yaml")


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"reader": "hub", "path": "m", "dataset": "o/n"}, "reader hub needs revision"),
        ({"reader": "hub", "path": "m", "dataset": "o/n", "revision": "v1.0"}, "a branch or tag moves"),
        ({"reader": "csv", "path": "m"}, "'json', 'jsonl', 'parquet' or 'hub'"),
        ({"reader": "json", "path": "m", "column": "q"}, "column"),
        ({"reader": "json", "path": "data/published/rows.json"}, "the pipeline writes and clears"),
    ],
)
def test_entries_that_cannot_be(keys: dict[str, Any], line: str) -> None:
    with pytest.raises(ValidationError, match=line):
        PublishedEntry(**keys)


def test_a_copy_of_another_commit(tmp_path: Path) -> None:
    copy = tmp_path / "mirror/o__n"
    note = copy / ".cache/huggingface/download/train.jsonl.metadata"
    note.parent.mkdir(parents=True)
    (copy / "train.jsonl").write_text(json.dumps(row()))
    note.write_text("a" * 40 + "\n")
    keys = {"reader": "hub", "path": "mirror", "dataset": "o/n"}
    assert len(read(tmp_path, **keys, revision="a" * 40)) == 1
    with pytest.raises(UserError, match=r"\Apublished\.P\.revision: [^\n]* is of commit a{40}, not b{40}[^\n]*\Z"):
        read(tmp_path, **keys, revision="b" * 40)


def test_a_training_set_of_any_form(tmp_path: Path, put: Callable[..., dict[str, Any]]) -> None:
    asked = {"instruction": "Why?", "reply": "Because."}
    entry = DatasetEntry(**put(asked, asked), question="instruction", response="reply")
    found = read_dataset("D", entry, tmp_path)
    assert found.to_dict("records") == [{"id": question_id("Why?"), "question": "Why?", "response": "Because."}] * 2
    with pytest.raises(UserError, match=r"\Adatasets\.D\.response: there is no column 'answer' in row 0; [^\n]*\Z"):
        read_dataset("D", entry.model_copy(update={"response": "answer"}), tmp_path)
    put(asked, asked | {"reply": None})
    with pytest.raises(UserError, match=r"\Adatasets\.D: row 1: its reply is missing\.\Z"):
        read_dataset("D", entry, tmp_path)


def test_check_reads_what_lies_here(root: Path, put: Callable[..., dict[str, Any]]) -> None:
    raw = load_raw(root / "params.yaml")
    raw["published"] = {"mine": put(row(1), row(1))}
    raw["datasets"] = {"theirs": put(row(1), row(1)) | {"question": "question", "response": "text"}}
    with pytest.raises(UserError) as caught:
        check_repository(check(raw, root / "params.yaml"), root)
    assert [line.partition(";")[0] for line in str(caught.value).splitlines()] == [
        "params.yaml: published.mine: row 1 (id 1): its id is that of an earlier row.",
        "params.yaml: datasets.theirs.response: there is no column 'text' in row 0",
    ]


def test_check_knows_what_runs_need(root: Path, put: Callable[..., dict[str, Any]]) -> None:
    raw = load_raw(root / "params.yaml")
    plain = {"question": "question", "response": "response"}
    raw["datasets"] = {"theirs": put(row(1, response="No."), row(2, response="hm</think>No.")) | plain}
    raw["runs"]["star1"] |= {"data": "datasets/theirs"}
    line = "params.yaml: data/datasets/theirs.parquet: row [0-9a-f]{16}: no thought in its response; mend[^\n]*"
    with pytest.raises(UserError, match=rf"\A{line}\Z"):
        check_repository(check(raw, root / "params.yaml"), root)
    raw["runs"]["star1"] |= {"think": "empty"}
    check_repository(check(raw, root / "params.yaml"), root)
    raw["published"] = {"mine": put(row(1), row(2))}
    raw["datasets"] = {}
    raw["runs"]["star1"] |= {"data": "published/mine", "score": {"min": 0, "max": 8}}
    with pytest.raises(UserError, match=r"\Aparams.yaml: data/published/mine.parquet: the lowest score of no row lies"):
        check_repository(check(raw, root / "params.yaml"), root)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"data": "published/none"}, "runs.star1.data: 'none' is not one of published"),
        ({"steps_of": "datasets/none"}, "runs.star1.steps_of: 'none' is not one of datasets"),
        ({"score": {"min": 9, "max": 8}}, "runs.star1.score: min 9 is above max 8"),
        ({"score": {"min": 0, "max": 11}}, "runs.star1.score.max: Input should be less than or equal to 10"),
    ],
)
def test_runs_that_cannot_be(root: Path, change: dict[str, Any], line: str) -> None:
    raw = load_raw(root / "params.yaml")
    raw["runs"]["star1"] |= change
    with pytest.raises(UserError, match=f"params.yaml: {line}"):
        check(raw, root / "params.yaml")
