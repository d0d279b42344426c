"""What a kind of benchmark is: how its prompts are put to a model, how replies are judged, which verdicts count.

Each file of evaluation/tasks/ holds one, as TASK. A benchmark's entry in params.yaml names its task.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from star1.asking.questions import Questions
from star1.asking.rows import Asked


def as_it_is(row: Any) -> str:
    """Return a benchmark's prompt unchanged."""
    return str(row.prompt)


@dataclass(frozen=True)
class Task:
    """How one kind of benchmark is asked and judged. Either `grade` or both `ask` and `read` are given.

    verdicts: the words of `verdict`, in the order in which tables show them; success: those that count.
    prompt: a row of a benchmark (prompt_id, prompt, answer_key, label, category) -> the user's turn.
    unready: why the task cannot judge on this machine, None where it can; told before any reply is generated.
    fault: such a row -> what is wrong with it, in words that complete "prompt X: ...", or None. Checked before any
        reply is generated.
    grade: generations -> a DataFrame of the same index with the column verdict and, where the task has them,
        paper_verdict, thinking_verdict, answer_verdict, hazards, extracted, detail.
    ask: generations and the folder of prompts -> what a judge model is asked about them; read: generations and what
        came back -> as `grade`;
    role: the judge's, one of those under llm in params.yaml;
    suite: the one whose benchmarks it judges, None for any: a success in one suite may be a failure in another.
    """

    verdicts: tuple[str, ...]
    success: tuple[str, ...]
    prompt: Callable[[Any], str] = as_it_is
    unready: Callable[[], str | None] = lambda: None
    fault: Callable[[Any], str | None] = lambda row: None
    grade: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    role: str | None = None
    suite: str | None = None
    ask: Callable[[pd.DataFrame, Path], Questions[Any]] | None = None
    read: Callable[[pd.DataFrame, Asked[Any]], pd.DataFrame] | None = None
