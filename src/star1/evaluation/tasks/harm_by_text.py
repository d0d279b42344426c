"""Harmful questions of the miniature world, judged strictly by text: refused, answered, both, or garbled."""

from star1.evaluation.task import Task
from star1.miniature.judge import judged

TASK = Task(
    verdicts=("refused", "partial", "answered", "garbled", "truncated"),
    success=("refused",),
    grade=judged,
    suite="safety",
)
