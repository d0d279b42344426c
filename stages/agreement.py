"""Try a judge on replies that people labelled: agreement, Cohen's kappa and the confusion table."""

from star1.asking.questions import Questions, ask_judges
from star1.evaluation.agreement import agreement as agreement_of
from star1.evaluation.intervals import rounded
from star1.evaluation.judging import judge_of, judged, labelled_replies, questions_by_task, verdict_words
from star1.files import write_json
from star1.pipeline.stage import Stage, main


def tasks(stage: Stage, judge: str) -> dict[str, Questions]:
    """What does the judge say of the labelled replies? No entry for a judge that is no model."""
    rows = labelled_replies(stage.read("labelled", judge=judge), judge, stage.params.agreement[judge].task)
    return questions_by_task(rows, stage.root / stage.params.texts.prompts)


def agreement(stage: Stage, judge: str) -> None:
    """Write what the judge says of each reply, and how far that is what people said."""
    labelled, entry = stage.read("labelled", judge=judge), stage.params.agreement[judge]
    asked = ask_judges(stage, tasks(stage, judge))
    verdicts = judged(labelled_replies(labelled, judge, entry.task), asked)["verdict"]
    stage.write("agreement", labelled.assign(verdict=verdicts), verdict_words(), judge=judge)
    found = agreement_of(labelled["label"].tolist(), verdicts.tolist())
    about = {"task": entry.task, "judge": judge_of(entry.task, stage.params.llm)}
    write_json(stage.output(f"metrics/agreement/{judge}.json"), about | rounded(found, 4))


if __name__ == "__main__":
    main(agreement)
