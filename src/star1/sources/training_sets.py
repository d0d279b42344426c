"""Reading a training set of any form: its questions and responses as they are."""

from pathlib import Path

import pandas as pd

from star1.sources.entries import DatasetEntry
from star1.sources.faults import Faults, text_fault
from star1.sources.read import selected
from star1.sources.values import field
from star1.text import question_id

COLUMNS = ["id", "question", "response"]


def read_dataset(name: str, entry: DatasetEntry, root: Path) -> pd.DataFrame:
    """Return the rows of datasets.NAME: id (by content; a question may stand twice), question, response.

    Responses may or may not hold a thought: the run that trains on them says what it needs (`think`).

    Raises:
        UserError: the entry cannot be read; or rows with faults, one line a fault.
    """
    key = f"datasets.{name}"
    faults, rows = Faults(key), []
    for place, record in selected(entry, key, root):
        question = field(record, entry.question, f"{key}.question", place)
        response = field(record, entry.response, f"{key}.response", place)
        for column, text in ((entry.question, question), (entry.response, response)):
            if fault := text_fault(text):
                faults.add(f"its {column} is {fault}", place)
                break
        else:
            rows.append((question_id(str(question)), question, response))
    faults.stop_if_any(len(rows))
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object)
