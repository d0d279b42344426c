"""Categorize each question: a teacher names the safety categories it belongs to (paper: GPT-4o, eight and Other)."""

from star1 import policies
from star1.asking import parsing
from star1.asking.questions import Questions, ask_teacher, with_values, without_reply
from star1.criteria import OTHER
from star1.pipeline.stage import Stage, main
from star1.prompts import ask


def task(stage: Stage) -> Questions[list[str]]:
    """Which of the categories does each question belong to?

    They stand in the prompt in alphabetical order: an order of params.yaml would make other requests, and decide
    nothing else.
    """
    categories, texts = sorted(stage.params.categories), stage.params.texts
    listed = policies.definitions(policies.read(stage.input(texts.policies)), categories)
    folder = stage.root / texts.prompts
    return Questions(
        "classifier",
        stage.read("collection"),
        lambda row: ask("categorize", folder, categories=listed, question=row.question),
        lambda reply: parsing.categories(reply, [*categories, OTHER]),
        parsing.categories_schema([*categories, OTHER]),
    )


def categorize(stage: Stage) -> None:
    """Write the collection with its categories."""
    asking = task(stage)
    rows, asked = asking.rows, ask_teacher(stage, asking)
    categorized = with_values(rows, asked, "category")
    stage.write("categorized", categorized)
    stage.account(len(rows), len(categorized), without_reply(rows, asked))


if __name__ == "__main__":
    main(categorize)
