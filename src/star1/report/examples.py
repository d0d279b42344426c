"""A few prompts with every model's reply, chosen by rule and not by eye."""

from typing import Any

import pandas as pd


def before_and_after(judgements: dict[str, pd.DataFrame], per_suite: int) -> list[dict[str, Any]]:
    """Return examples: for each benchmark and label its first prompt, `per_suite` a suite, with all models' replies.

    judgements: model -> its rows; of several samples the first is shown. The choice does not look at any reply.
    """
    by_model = {model: rows[rows["sample"] == 0] for model, rows in judgements.items()}
    by_prompt = {model: rows.set_index(["benchmark", "prompt_id"]) for model, rows in by_model.items()}
    first = next(iter(by_model.values()))
    examples = []
    for suite in dict.fromkeys(first["suite"]):
        rows = first[first["suite"] == suite]
        firsts = rows.groupby(["benchmark", "label"], sort=False, dropna=False).head(per_suite).index
        turns = rows.loc[firsts].groupby(["benchmark", "label"], sort=False, dropna=False).cumcount()
        for index in turns.sort_values(kind="stable").index[:per_suite]:
            row = rows.loc[index]
            replies = {model: of.loc[(row["benchmark"], row["prompt_id"])] for model, of in by_prompt.items()}
            examples.append(
                {
                    "id": f"{row['benchmark']}:{row['prompt_id']}",
                    "prompt": row["prompt"],
                    "suite": suite,
                    "label": row["label"],
                    "replies": {
                        model: {key: reply[key] for key in ("thinking", "answer", "verdict")}
                        for model, reply in replies.items()
                    },
                }
            )
    return examples
