"""Harmless questions of the miniature world, judged strictly by text: answered, refused, both, or garbled."""

from star1.evaluation.task import Task
from star1.miniature.judge import judged

TASK = Task(
    verdicts=("answered", "partial", "refused", "garbled", "truncated"),
    success=("answered",),
    grade=judged,
    suite="over_refusal",
)
