"""Reading replies that people labelled, on which a judge is tried."""

from pathlib import Path

import pandas as pd

from star1.errors import UserError
from star1.sources.entries import LabelledEntry
from star1.sources.read import field, first, identified

COLUMNS = ["prompt_id", "prompt", "response", "label"]


def read_labelled(name: str, entry: LabelledEntry, root: Path) -> pd.DataFrame:
    """Return the replies that people labelled: prompt_id, prompt, response, label (in the judge's words).

    Raises UserError if the file cannot be read, a row lacks one of these, or a label is none of the entry's `labels`.
    """
    key = f"agreement.{name}"
    rows = [_labelled_row(entry, key, name_, record) for name_, record in first(entry, key, root)]
    return identified(rows, COLUMNS, key)


def _labelled_row(entry: LabelledEntry, key: str, name: str, record: object) -> tuple[str, str, str, str]:
    def text(key_: str, column: str) -> str:
        value = field(record, column, f"{key}.{key_}", name)
        if value is None or (value == "" and key_ != "response"):
            raise UserError(f"{key}.{key_}: row {name} has nothing in column {column!r}.")
        return str(value)

    label = text("label", entry.label)
    if entry.labels is not None and label not in entry.labels:
        raise UserError(f"{key}.labels: row {name} has the label {label!r}; known are {', '.join(entry.labels)}.")
    prompt_id = text("prompt_id", entry.prompt_id) if entry.prompt_id else name
    word = entry.labels[label] if entry.labels else label
    return prompt_id, text("prompt", entry.prompt), text("response", entry.response), word
