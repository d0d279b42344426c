"""The exact comparison of numbers, for verdicts.py."""

from star1.evaluation.tasks.number import correct

__all__ = ["correct"]
