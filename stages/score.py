"""Score each response from 0 to 10 on three criteria (paper: GPT-4o); the result is STAR-41K."""

from star1 import policies
from star1.asking import parsing
from star1.asking.questions import Questions, ask_teacher, with_values, without_reply
from star1.criteria import SAFETY_CRITERIA
from star1.pipeline.stage import Stage, main
from star1.prompts import ask


def task(stage: Stage) -> Questions[dict[str, int]]:
    """How well does each response keep to the policies?"""
    texts = stage.params.texts
    known, folder = policies.read(stage.input(texts.policies)), stage.root / texts.prompts
    return Questions(
        "scorer",
        stage.read("cot"),
        lambda row: ask(
            "score",
            folder,
            policies=policies.blocks(known, row.category),
            question=row.question,
            thinking=row.thinking,
            answer=row.answer,
        ),
        lambda reply: parsing.scores(reply, SAFETY_CRITERIA, 0, 10),
        parsing.scores_schema(SAFETY_CRITERIA, 0, 10),
    )


def score(stage: Stage) -> None:
    """Write every row with its three scores."""
    asking = task(stage)
    rows, asked = asking.rows, ask_teacher(stage, asking)
    scored = with_values(rows, asked, "score")
    stage.write("scored", scored)
    stage.account(len(rows), len(scored), without_reply(rows, asked))


if __name__ == "__main__":
    main(score)
