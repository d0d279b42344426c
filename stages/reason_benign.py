"""Answer each look-alike, with no policy before it (paper, over-refusal data: DeepSeek-R1)."""

from star1.asking import parsing
from star1.asking.questions import Questions, ask_teacher, with_values, without_reply
from star1.pipeline.stage import Stage, main


def task(stage: Stage) -> Questions[parsing.Thought]:
    """What is the answer to each look-alike? The question is all that the teacher sees."""
    rows = stage.read("benign_questions")
    return Questions("reasoner", rows, lambda row: [{"role": "user", "content": row.question}], parsing.thought)


def reason_benign(stage: Stage) -> None:
    """Write each look-alike's thought and answer."""
    asking = task(stage)
    rows, asked = asking.rows, ask_teacher(stage, asking)
    reasoned = with_values(rows, asked, "response", "thinking", "answer")
    stage.write("benign_cot", reasoned)
    stage.account(len(rows), len(reasoned), without_reply(rows, asked))


if __name__ == "__main__":
    main(reason_benign)
