"""Judge one model's replies: refused, answered or garbled; safe or unsafe; correct, wrong or cut off."""

from star1.asking.questions import Questions, ask_judges
from star1.evaluation.judging import judged, questions_by_task, rows_to_judge, verdict_words, with_second
from star1.pipeline.stage import Stage, main


def tasks(stage: Stage, model: str) -> dict[str, Questions]:
    """What do the judges, first and second, say of the replies? One entry for each task whose judge is a model."""
    rows = rows_to_judge(stage.read("generations", model=model), stage.params.evaluate.second_judges)
    return questions_by_task(rows, stage.root / stage.params.texts.prompts)


def judge(stage: Stage, model: str) -> None:
    """Write each reply with its verdict, and what no judge said anything usable about."""
    rows = stage.read("generations", model=model)
    asked = ask_judges(stage, tasks(stage, model))
    judgements = with_second(judged(rows, asked), stage.params.evaluate.second_judges, asked)
    stage.write("judgements", judgements, verdict_words(), model=model)


if __name__ == "__main__":
    main(judge)
