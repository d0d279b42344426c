"""Reason: a teacher answers each question with the policies of its categories before it (paper: DeepSeek-R1)."""

import pandas as pd

from star1 import policies
from star1.asking import parsing
from star1.asking.questions import Questions, ask_teacher, with_values, without_reply
from star1.criteria import OTHER
from star1.pipeline.stage import Stage, left_rows, main
from star1.prompts import ask


def task(stage: Stage) -> Questions[parsing.Thought]:
    """What is the answer to each question, by the policies of its categories? Without a policy there is none."""
    rows, texts = stage.read("categorized"), stage.params.texts
    known, folder = policies.read(stage.input(texts.policies)), stage.root / texts.prompts
    return Questions(
        "reasoner",
        rows[~without_policy(rows)],
        lambda row: ask("reason", folder, policies=policies.blocks(known, row.category), question=row.question),
        parsing.thought,
    )


def without_policy(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Say which rows fit no category."""
    return pd.Series([OTHER in categories for categories in rows["category"]], index=rows.index, dtype=bool)


def reason(stage: Stage) -> None:
    """Write each row's thought and answer. Rows that fit no category have no policy to reason from and leave here."""
    rows, asked = stage.read("categorized"), ask_teacher(stage, task(stage))
    reasoned = with_values(rows, asked, "response", "thinking", "answer")
    stage.write("cot", reasoned)
    left = [left_rows(rows[without_policy(rows)], "dropped", "fits no category"), without_reply(rows, asked)]
    stage.account(len(rows), len(reasoned), pd.concat(left, ignore_index=True))


if __name__ == "__main__":
    main(reason)
