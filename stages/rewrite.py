"""Rewrite each question of STAR-1 into a harmless look-alike (paper, over-refusal data: GPT-4o)."""

import pandas as pd

from star1.asking import parsing
from star1.asking.questions import Questions, ask_teacher, with_values, without_reply
from star1.pipeline.stage import Stage, left_rows, main
from star1.prompts import ask
from star1.text import question_id


def task(stage: Stage) -> Questions[str]:
    """What is the harmless look-alike of each question?"""
    folder, star1 = stage.root / stage.params.texts.prompts, stage.read("star1")
    listed = "\n".join(f"- {name}" for name in sorted(stage.params.categories))
    return Questions(
        "rewriter",
        star1 if stage.params.benign.rewrite else star1[:0],
        lambda row: ask("rewrite", folder, categories=listed, question=row.question),
        parsing.question,
        parsing.QUESTION_SCHEMA,
    )


def rewrite(stage: Stage) -> None:
    """Write the look-alikes, each with its parent's id; of look-alikes that are the same question the first stays."""
    asking = task(stage)
    rows, asked = asking.rows, ask_teacher(stage, asking)
    rewritten = with_values(rows, asked, "question").assign(parent=lambda frame: frame["id"])
    rewritten["id"] = rewritten["question"].map(question_id)
    repeated = rewritten["id"].duplicated() | rewritten["id"].isin(rows["id"])
    stage.write("benign_questions", rewritten[~repeated])
    same = rewritten[repeated].rename(columns={"id": "because_of", "parent": "id"})
    left = [
        left_rows(same, "dropped", "same look-alike as an earlier row's").assign(because_of=same["because_of"]),
        without_reply(rows, asked),
    ]
    stage.account(len(rows), int((~repeated).sum()), pd.concat(left, ignore_index=True))


if __name__ == "__main__":
    main(rewrite)
