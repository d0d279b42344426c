"""Generations of a reasoning benchmark, for tests of graders."""

from typing import Any

import pandas as pd

from star1.replies import split_reply


def generations(*replies: tuple[str, str], prompt: str = "Which?", finish_reason: str = "stop") -> pd.DataFrame:
    """Return one row for each (answer_key, raw reply)."""
    rows: list[dict[str, Any]] = []
    for answer_key, response in replies:
        thinking, answer = split_reply(response)
        rows.append(
            {
                "prompt": prompt,
                "answer_key": answer_key,
                "response": response,
                "thinking": thinking,
                "answer": answer,
                "finish_reason": finish_reason,
            }
        )
    return pd.DataFrame(rows, dtype=object)
