"""Score each look-alike's reply from 1 to 5 on three criteria (paper, over-refusal data: GPT-4o)."""

from star1.asking import parsing
from star1.asking.questions import Questions, ask_teacher, with_values, without_reply
from star1.criteria import BENIGN_CRITERIA
from star1.pipeline.stage import Stage, main
from star1.prompts import ask


def task(stage: Stage) -> Questions[dict[str, int]]:
    """How safe and how helpful is each look-alike's reply?"""
    folder = stage.root / stage.params.texts.prompts
    return Questions(
        "scorer",
        stage.read("benign_cot"),
        lambda row: ask("score_benign", folder, question=row.question, thinking=row.thinking, answer=row.answer),
        lambda reply: parsing.scores(reply, BENIGN_CRITERIA, 1, 5),
        parsing.scores_schema(BENIGN_CRITERIA, 1, 5),
    )


def score_benign(stage: Stage) -> None:
    """Write every look-alike with its three scores."""
    asking = task(stage)
    rows, asked = asking.rows, ask_teacher(stage, asking)
    scored = with_values(rows, asked, "score")
    stage.write("benign_scored", scored)
    stage.account(len(rows), len(scored), without_reply(rows, asked))


if __name__ == "__main__":
    main(score_benign)
