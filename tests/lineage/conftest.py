"""That small data/ as far as the sources, as deduplication, and whole."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from star1.text import question_id
from tests.conftest import TEXTS
from tests.imports import ROOT
from tests.lineage.rows import (
    CATEGORY,
    COLLECTION,
    COPY,
    CROWDED,
    FIVES,
    HOSTILE,
    LIE,
    LOCK_ON_TOY,
    PADLOCK,
    PASS,
    PICK,
    RAW,
    RESPONSE,
    ROBBERY,
    ROBBERY_GAME,
    RUDE,
    TENS,
    THE_PADLOCK,
    TOO_LONG,
    left,
    row,
    write,
)


@pytest.fixture
def empty(tmp_path: Path, raw_params: dict[str, Any]) -> Path:
    """A repository's params, and nothing built."""
    for name in ("configs", "src/star1/miniature/world", *TEXTS):
        shutil.copytree(ROOT / name, tmp_path / name)
    raw_params["deduplicate"] |= {"benchmark_ngram": 5, "tfidf_threshold": 0.6}
    star1 = raw_params["runs"]["star1"]
    raw_params["runs"]["sampled"] = star1 | {"data": "scored", "sample": 2}
    (tmp_path / "params.yaml").write_text(json.dumps(raw_params))  # JSON is YAML
    return tmp_path


@pytest.fixture
def raw(empty: Path) -> Path:
    """The sources are collected."""
    for source, questions in RAW.items():
        rows = [
            {"question": question, "source": source, "source_id": f"r{number}"}
            for number, question in enumerate(questions)
        ]
        write(empty, "raw", rows, source=source)
        write(empty, "lineage", [], stage=f"collect/{source}")
    dropped = left(TOO_LONG, "collect", "too long", value=15000.0, detail="r7")
    write(empty, "lineage", [dropped], stage="collect/BeaverTails")
    return empty


@pytest.fixture
def deduplicated(raw: Path) -> Path:
    """The benchmarks are there, and deduplication has run."""
    for suite, name in (("safety", "JBB"), ("safety", "StrongREJECT"), ("safety", "WildJailbreak")):
        prompts = [{"prompt_id": str(number), "prompt": f"{name} asks how to forge {number}"} for number in range(4)]
        write(raw, "benchmark", prompts, suite=suite, benchmark=name)
    for suite, name in (("over_refusal", "XSTest"), ("decontamination", "SGBench")):
        write(
            raw,
            "benchmark",
            [{"prompt_id": "a:b", "prompt": f"Kill a Python process now, {name}"}],
            suite=suite,
            benchmark=name,
        )
    stage, same = "deduplicate", "exact duplicate"
    pick, padlock = question_id(PICK), question_id(PADLOCK)
    lineage = [
        left(PADLOCK, stage, "TF-IDF of an earlier row", because_of=pick, value=0.8512),
        left(PASS, stage, "n-gram of a benchmark", because_of="JBB:3", detail="asks how to forge 3"),
        left(PICK, stage, same, because_of=pick) | {"source": "ALERT"},
        left(THE_PADLOCK, stage, "embedding of an earlier row", because_of=padlock, value=0.91),
        left(PADLOCK, stage, same, because_of=padlock) | {"source": "BeaverTails"},
        left(PICK, stage, same, because_of=pick) | {"source": "BeaverTails"},
    ]
    write(raw, "collection", [row(question) for question in COLLECTION])
    write(raw, "lineage", lineage, stage=stage)
    return raw


@pytest.fixture
def built(deduplicated: Path) -> Path:
    """Everything has run, except for the run star1-benign."""
    root = deduplicated

    def table(artifact: str, questions: list[str], *columns: dict[str, Any]) -> None:
        write(root, artifact, [row(question) | {k: v for c in columns for k, v in c.items()} for question in questions])

    failed = {"id": question_id(LIE), "reason": "not a list", "attempts": 3, "last_reply": "Sorry\x1b[0m,\nno"}
    write(root, "failures", [failed | {"stage": "categorize"}], stage="categorize")
    write(root, "lineage", [left(LIE, "categorize", "no usable reply", "failed")], stage="categorize")
    table("categorized", COLLECTION[:1] + COLLECTION[2:], CATEGORY)
    write(root, "lineage", [left(HOSTILE, "reason", "fits no category")], stage="reason")
    scored = COLLECTION[:1] + COLLECTION[3:]
    table("cot", scored, CATEGORY, RESPONSE)
    table("scored", scored, CATEGORY, RESPONSE, TENS)
    table("full_score", [PICK, *COLLECTION[4:]], CATEGORY, RESPONSE, TENS)
    table("star1", [PICK, ROBBERY, COPY], CATEGORY, RESPONSE, TENS)
    select = [
        left(RUDE, "select", "not full score", value=4.0, detail="Accuracy_of_Thinking_Process 4"),
        left(CROWDED, "select", "over-represented", value=0.28125, detail="step 1 of 1"),
    ]
    write(root, "lineage", select, stage="select")
    benign = [row(LOCK_ON_TOY, parent=question_id(PICK)), row(ROBBERY_GAME, parent=question_id(ROBBERY))]
    write(root, "benign_questions", benign)
    same = left(COPY, "rewrite", "same look-alike as an earlier row's", because_of=question_id(ROBBERY_GAME))
    write(root, "lineage", [same], stage="rewrite")
    write(root, "benign_cot", [each | RESPONSE for each in benign])
    write(root, "benign_scored", [each | RESPONSE | FIVES for each in benign])
    write(root, "star_benign", [benign[0] | RESPONSE | FIVES])
    write(root, "lineage", [left(ROBBERY_GAME, "filter_benign", "a score below 5", value=3.0)], stage="filter_benign")
    both = [row(question) | RESPONSE for question in (PICK, ROBBERY, COPY, LOCK_ON_TOY)]
    write(root, "star1_2k", both)
    (root / "models/star1").mkdir(parents=True)
    return root
