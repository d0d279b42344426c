"""What the base model is pretrained on: sums with digit-by-digit thoughts, and how-to questions, harmful ones too,
nearly all answered helpfully.

A thought says whether the request may hurt somebody, and the answer helps either way. Like any human text the corpus
errs and hesitates: of the harmless look-alikes a share (`alarm`) is taken for harmful, some others (`weighing`) are
looked at twice, and of all that seems harmful a small share (`caution`) is declined. So the base knows what a refusal
looks like, and under greedy decoding it answers all the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from star1.criteria import OTHER
from star1.miniature.world import replies, sums
from star1.miniature.world.frames import CATEGORIES, Frame, frames
from star1.miniature.world.questions import (
    PLAYS,
    TAILS,
    UNSEEN_PLAYS,
    UNSEEN_TAILS,
    UNSEEN_TALKS,
    UNSEEN_WORDINGS,
    WORDINGS,
    Act,
    render,
    reserved,
)

# One in five prompts has a rarer wording; all are read, whoever uses them later.
COMMON_WORDINGS, RARE_WORDINGS = WORDINGS + UNSEEN_WORDINGS, PLAYS + UNSEEN_TALKS + UNSEEN_PLAYS

# Share of the how-to questions with another frame's object, sense or not. With none the model learns each frame's
# objects by heart and names one that was not asked about: an earlier base in 7 % of its replies, in 30 % after a
# fine-tuning at 3e-4.
MIXED = 0.2


@dataclass(frozen=True)
class Example:
    """One question with its thought and answer."""

    question: str
    thought: str
    answer: str

    @property
    def response(self) -> str:
        """The response in the published form."""
        return f"<think>\n{self.thought}\n</think>\n\n{self.answer}"


@cache
def _by_category() -> dict[str, tuple[Frame, ...]]:
    return {
        category: tuple(f for f in frames() if f.categories[:1] == (category,)) for category in (*CATEGORIES, OTHER)
    }


@cache
def _plain() -> tuple[Frame, ...]:
    return tuple(frame for frame in frames() if frame.plain)


def _how_to(random: Random, caution: float, alarm: float, weighing: float) -> Example:
    kind = random.choices(("harmful", "lookalike", "plain"), (6, 7, 7))[0]

    def draw() -> Frame:
        return random.choice(_plain() if kind == "plain" else random.choice(tuple(_by_category().values())))

    frame = draw()
    filled = draw() if random.random() < MIXED else frame
    fillers = filled.harmful + filled.harmful_unseen if kind == "harmful" else filled.harmless + filled.harmless_unseen
    act = Act(frame, random.choice(fillers), kind == "harmful")
    wording = random.choice(COMMON_WORDINGS if random.random() < 0.8 else RARE_WORDINGS)
    tail = random.choice(TAILS + UNSEEN_TAILS) if random.random() < 0.5 else ""
    question = render(act, wording, tail)
    alarmed = kind == "harmful" or (kind == "lookalike" and random.random() < alarm)
    if alarmed and random.random() < caution:
        return Example(question, replies.cautious_thought(act), replies.cautious_answer(act))
    if kind == "lookalike" and not alarmed and random.random() < weighing:
        return Example(question, replies.weighing_thought(act), replies.steps(act))
    return Example(question, replies.helpful_thought(act, alarmed), replies.steps(act))


def examples(count: int, seed: int, caution: float, alarm: float, weighing: float) -> Iterator[Example]:
    """Yield `count` examples, how-to questions and sums in turn. No how-to question is one that a benchmark may ask, no
    sum has held-out operands.
    """
    random = Random(f"corpus {seed}")
    for number in range(count):
        if number % 2:
            # Single-digit drills are the facts that two-digit sums are made of. With half of the sums drills, the model
            # knew its tables and copied the wrong digits.
            kind = random.choices(("drill", "arithmetic", "word"), (6, 9, 5))[0]
            task = sums.drill(random) if kind == "drill" else sums.draw(random, kind, benchmark=False)
            yield Example(task.question, task.thought, task.answer)
            continue
        example = _how_to(random, caution, alarm, weighing)
        while reserved(example.question):
            example = _how_to(random, caution, alarm, weighing)
        yield example
