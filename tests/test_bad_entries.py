"""Bad input for the entries of params.yaml: `star1 check` tells each mistake in one line, before any work.

Rows of published and datasets are in tests/published, those of sources and benchmarks, which are read before any
teacher is asked, in tests/sources.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from star1.checks import check_repository
from star1.errors import UserError
from star1.params import check, load_raw

HUB = {"reader": "hub", "path": "data/mirror", "dataset": "owner/set"}
BENCHMARK = {"suite": "safety", "task": "harm_by_text", "max_tokens": 8, "prompt": "q"}
LABELLED = {"task": "harmless_by_text", "prompt": "q", "response": "r", "label": "l"}
ENTRIES: dict[str, dict[str, Any]] = {
    "sources.ALERT": {**HUB, "column": "q", "ngram": 8},
    "published.star-1": HUB,
    "datasets.safechain": {**HUB, "question": "q", "response": "r"},
    "benchmarks.JBB": {**HUB, **BENCHMARK},
    "agreement.replies": {**HUB, **LABELLED},
    "bases.r1": {"source": "hub", "path": "src/star1/bases/hub", "repo": "owner/model"},
}


@pytest.fixture
def told(root: Path) -> Callable[[dict[str, Any]], str]:
    """Return a function that gives the one line of `star1 check` about entries: key -> what stands there."""

    def line(entries: dict[str, Any]) -> str:
        raw = load_raw(root / "params.yaml")
        for key, value in entries.items():
            *sections, last = key.split(".")
            node = raw
            for section in sections:
                node = node[section]
            node[last] = value
        with pytest.raises(UserError) as caught:
            check_repository(check(raw, root / "params.yaml"), root)
        (only,) = str(caught.value).splitlines()
        return only.removeprefix(f"{root}/").removeprefix("params.yaml: ")

    return line


@pytest.mark.parametrize("key", ENTRIES)
@pytest.mark.parametrize("revision", ["v1.0", "refs/pr/1", "0" * 39])
def test_a_revision_that_moves(told: Callable[[dict[str, Any]], str], key: str, revision: str) -> None:
    line = told({key: ENTRIES[key] | {"revision": revision}})
    assert line.startswith(f"{key}.") and ".revision: " in line and "commit hash of 40 hex digits" in line


@pytest.mark.parametrize("key", ENTRIES)
def test_a_revision_that_is_missing(told: Callable[[dict[str, Any]], str], key: str) -> None:
    line = told({key: ENTRIES[key]})
    assert line.startswith(key) and "revision" in line


REPLY = {"id": "a", "q": "Why?", "r": "No.", "l": "refused"}
OWN = {**LABELLED, "reader": "jsonl", "path": "data/own/replies.jsonl", "prompt_id": "id"}


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([], "agreement.replies: no prompt in it"),
        ([{"q": "Why?", "r": "No.", "l": "refused"}], "agreement.replies.prompt_id: there is no column 'id' in row 0"),
        ([REPLY, REPLY], "agreement.replies.prompt_id: 'a' stands twice"),
        ([REPLY | {"q": None}], "agreement.replies.prompt: row 0 has nothing in column 'q'"),
        ([REPLY | {"l": "maybe"}], "agreement.replies.labels: 'maybe' is no verdict of harmless_by_text: answered, "),
    ],
)
def test_labelled_replies(
    root: Path, told: Callable[[dict[str, Any]], str], rows: list[dict[str, Any]], line: str
) -> None:
    (root / "data/own").mkdir()
    (root / "data/own/replies.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert told({"agreement.replies": OWN}).startswith(line)


@pytest.mark.parametrize("key", ["data", "steps_of"])
@pytest.mark.parametrize("data", ["star2", "collection", "benign/questions"])
def test_rows_that_no_stage_makes(told: Callable[[dict[str, Any]], str], key: str, data: str) -> None:
    line = told({f"runs.star1.{key}": data})
    assert line.startswith(f"runs.star1.{key}: no stage makes data/{data}.parquet with responses; there are benign/cot")


def test_tables_of_the_user_s_that_a_run_names(root: Path, told: Callable[[dict[str, Any]], str]) -> None:
    (root / "data/own").mkdir()
    pd.DataFrame({"question": ["How?"], "response": ["No."]}).to_parquet(root / "data/own/x.parquet")
    assert told({"runs.star1.data": "own/x"}).startswith("data/own/x.parquet: no column id; add one")
    pd.DataFrame({"id": []}).to_parquet(root / "data/own/x.parquet")
    assert told({"runs.star1.steps_of": "own/x"}).startswith("data/own/x.parquet: no row in it to count steps of")
    pd.DataFrame({"id": [7], "question": ["How?"], "response": ["No."]}).to_parquet(root / "data/own/x.parquet")
    assert told({"runs.star1.data": "own/x"}).startswith("data/own/x.parquet: row 7: no thought in its response")


def test_a_folder_without_a_model(root: Path, told: Callable[[dict[str, Any]], str]) -> None:
    (root / "data/own").mkdir()
    line = told({"bases.mine": {"source": "folder", "path": "data/own"}})
    assert line.startswith("bases.mine.path: ") and "no model in the transformers layout" in line
