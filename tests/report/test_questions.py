"""What became of each question, as the browser tells it."""

from typing import Any

import numpy as np

from star1.report.questions import BENIGN, HARMFUL, questions
from star1.selection import COPY, OVER_REPRESENTED
from tests.report.test_browser import frame


def test_what_became_of_each_question() -> None:
    def line(row_id: str, stage: str, reason: str, because: str | None = None) -> dict[str, list[Any]]:
        row = {"id": row_id, "stage": stage, "outcome": "dropped", "reason": reason, "because_of": because}
        return {name: [value] for name, value in (row | {"detail": "step 2 of 3"}).items()}

    nothing = frame({name: [] for name in line("", "", "")})
    lineage = dict.fromkeys(("categorize", "reason", "score", "rewrite", "reason_benign", "score_benign"), nothing)
    lineage["deduplicate"] = frame(line("x", "deduplicate", "TF-IDF of an earlier row", "a"))
    lineage["categorize"] = frame(line("b", "categorize", "fits no category"))
    lineage["select"] = frame(line("c", "select", "over-represented"))
    lineage["filter_benign"] = frame(line("d", "filter_benign", "a score below 5"))
    scores = [None, {"One_Criterion": 10}, {"One_Criterion": 10}]
    scored = frame({"id": ["a", "a", "c"], "category": [["Self-Harm"], ["Adult"], ["Adult"]], "score": scores})
    found = questions(
        frame({"id": ["b", "c", "a"], "question": ["B?", "C?", "A?"], "source": ["S"] * 3, "origin": ["collect"] * 3}),
        scored,
        frame({"id": ["a"], "response": ["<think>t</think>\n\nr"]}),
        frame({"id": ["d"], "question": ["D?"], "parent": ["a"]}),
        lineage,
    ).set_index("id")
    assert list(found.index) == ["a", "b", "c"], "STAR-1 first"
    assert found["fate"].to_dict() == {
        "a": "in STAR-1", "b": "categorize: fits no category", "c": "select: over-represented"
    }  # fmt: skip
    assert found.loc["a", ["thinking", "answer"]].tolist() == ["t", "r"]
    assert found.loc["a", "life"] == [
        "collect: S",
        "deduplicate: 1 others were dropped because of it",
        "categorize: Adult",
        "score: One Criterion 10",
        "select: in STAR-1",
        "rewrite: into the look-alike d: “D?”",
        "filter_benign: dropped: a score below 5, step 2 of 3",
    ]
    assert found.loc["c", "life"][-1] == "select: dropped: over-represented, step 2 of 3"
    assert np.all(found["question"].to_numpy() == ["A?", "B?", "C?"])


def test_a_question_that_was_published_twice_left_for_its_own_reason() -> None:
    """The stage writes the lines about second copies last."""
    lines = {"id": ["a", "a"], "stage": ["select"] * 2, "outcome": ["dropped"] * 2, "because_of": [None] * 2}
    nothing = frame({name: [] for name in (*lines, "reason", "detail")})
    lineage = dict.fromkeys((*HARMFUL, *BENIGN, "deduplicate"), nothing)
    lineage["select"] = frame(
        lines | {"reason": [OVER_REPRESENTED, COPY], "detail": ["step 2 of 3", "published twice"]}
    )
    pool = frame({"id": ["a", "a"], "question": ["A?"] * 2, "source": ["S"] * 2, "origin": ["published"] * 2})
    scored = frame({"id": ["a"], "category": [["Adult"]], "score": [{"One": 10}]})
    empty = frame({"id": [], "response": [], "parent": [], "question": []})
    found = questions(pool, scored, empty, empty, lineage)
    assert found["fate"].tolist() == [f"select: {OVER_REPRESENTED}"]
    assert found["life"].tolist()[0][-1] == f"select: dropped: {OVER_REPRESENTED}, step 2 of 3"
