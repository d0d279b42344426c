"""What became of each question of the collection, for all of them at once; `star1 trace` tells one row's whole life."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from star1.replies import split_reply

HARMFUL = ("categorize", "reason", "score", "select")
BENIGN = ("rewrite", "reason_benign", "score_benign", "filter_benign")
SELECTED = "in STAR-1"


def questions(
    pool: pd.DataFrame,
    scored: pd.DataFrame,
    selected: pd.DataFrame,
    look_alikes: pd.DataFrame,
    lineage: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:
    """Return the questions, STAR-1 first, as DataFrame[id, question, source, category, fate, life, thinking, answer].

    pool: DataFrame[id, question, source, origin] of the collection and what is published; origin is the stage. Of rows
    with one id the first counts, of those in `scored` the first that has a score, as in the selection.

    fate: "in STAR-1", or the stage and reason with which it left; life: a line a stage; thinking and answer: of a row
    of STAR-1, None elsewhere. lineage: stage -> its rows, "deduplicate" and those of HARMFUL and BENIGN.
    """
    left: dict[str, Any] = {}
    for row in (row for stage in HARMFUL for row in lineage[stage].to_dict("records")):
        left.setdefault(row["id"], row)  # of a question published twice, the line about its other copy comes last
    left_benign = {row["id"]: row for stage in BENIGN for row in lineage[stage].to_dict("records")}
    scored = scored.sort_values("score", key=lambda scores: scores.isna(), kind="stable").drop_duplicates("id")
    scores = dict(zip(scored["id"], scored["score"], strict=True))
    responses = dict(zip(selected["id"], selected["response"], strict=True))
    children = {row["parent"]: row for row in look_alikes.to_dict("records")}
    because = lineage["deduplicate"]["because_of"].value_counts()
    categories = dict(zip(scored["id"], scored["category"], strict=True))
    found = []
    for row in pool.drop_duplicates("id").to_dict("records"):
        row_id = row["id"]
        thinking, answer = split_reply(responses[row_id]) if row_id in responses else (None, None)
        fate = SELECTED if row_id in responses else _left(left.get(row_id))
        life = [f"{row['origin']}: {row['source']}"]
        if row_id in because.index:
            life.append(f"deduplicate: {because[row_id]:,} others were dropped because of it")
        if row_id in categories:
            life.append(f"categorize: {', '.join(categories[row_id])}")
            values = [f"{name.replace('_', ' ')} {value}" for name, value in (scores[row_id] or {}).items()]
            life.append(f"score: {', '.join(values) or 'none'}")
        life.append(f"select: {fate}" if row_id in responses else _in_words(left.get(row_id)))
        life += _benign(row_id, children, left_benign) if row_id in responses else []
        texts = {"thinking": thinking, "answer": answer}
        found.append(row | {"category": categories.get(row_id, []), "fate": fate, "life": life} | texts)
    columns = ["id", "question", "source", "category", "fate", "life", "thinking", "answer"]
    table = pd.DataFrame(found, columns=columns, dtype=object)
    return table.sort_values("fate", key=lambda fates: fates != SELECTED, kind="stable", ignore_index=True)


def _benign(row_id: str, children: Mapping[str, Any], left: Mapping[str, Any]) -> list[str]:
    if row_id not in children:
        return [_in_words(left[row_id])] if row_id in left else []  # nothing is rewritten where benign.rewrite is false
    child = children[row_id]
    rewritten = f"rewrite: into the look-alike {child['id']}: “{child['question']}”"
    return [rewritten, _in_words(left[child["id"]]) if child["id"] in left else "filter_benign: kept in STAR-benign"]


def _left(line: Mapping[Any, Any] | None) -> str:
    return f"{line['stage']}: {line['reason']}" if line else "in no lineage"


def _in_words(line: Mapping[Any, Any] | None) -> str:
    """Return a line of the lineage in words: stage, outcome, reason, detail."""
    if line is None:
        return "neither kept nor in the lineage: the tables are of different runs"
    detail = f", {line['detail']}" if line["detail"] else ""
    return f"{line['stage']}: {line['outcome']}: {line['reason']}{detail}"
