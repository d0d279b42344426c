"""Judge one model's replies to one suite: refused, answered or garbled; safe or unsafe; correct, wrong or cut off."""

from typing import Any

import pandas as pd

from star1.artifacts import ARTIFACTS
from star1.evaluation.model_judges import TASKS, VERDICTS
from star1.evaluation.verdicts import verdict
from star1.pipeline.stage import Stage, main
from star1.teacher_stage import Task, ask_teacher


def task(stage: Stage, model: str, suite: str) -> Task[Any] | None:
    """What does the suite's judge say of each reply? None where it is a function that reads text."""
    judge_name = getattr(stage.params.evaluate.judges, suite)
    return TASKS[judge_name](stage.read("generations", model=model, suite=suite)) if judge_name in TASKS else None


def judge(stage: Stage, model: str, suite: str) -> None:
    """Write each reply with its verdict."""
    rows, asking = stage.read("generations", model=model, suite=suite), task(stage, model, suite)
    if asking is None:
        verdicts = [verdict(suite, row) for row in rows.itertuples(index=False)]
        judged = rows.assign(verdict=verdicts, hazards=None, thinking_verdict=None, answer_verdict=None)
        stage.write("failures", pd.DataFrame(columns=list(ARTIFACTS["failures"].columns)), stage=stage.label)
    else:
        judged = VERDICTS[getattr(stage.params.evaluate.judges, suite)](rows, ask_teacher(stage, asking))
    stage.write("judgements", judged, model=model, suite=suite)


if __name__ == "__main__":
    main(judge)
