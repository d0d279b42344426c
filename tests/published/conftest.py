"""Small files in the published form, and a tiny repository that begins from published rows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from star1.criteria import SAFETY_CRITERIA

TENS = dict.fromkeys(SAFETY_CRITERIA, 10)
CATEGORIES = ["Harassment / Hate / Discrimination", "Self-Harm", "Privacy / Personal Data"]


def row(number: int = 0, **more: Any) -> dict[str, Any]:
    """Return a row in the published form."""
    return {
        "id": str(number),
        "question": f"How do I open box {number}?",
        "response": f"<think>\nBox {number}?\n</think>\n\nWith a key.",
        "category": ["Self-Harm"],
        "source": "ALERT",
        "score": TENS,
    } | more


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that writes rows to rows.json below tmp_path and gives the keys of an entry for it."""

    def write(*rows: dict[str, Any], **keys: Any) -> dict[str, Any]:
        (tmp_path / "rows.json").write_text(json.dumps(rows))
        return {"reader": "json", "path": "rows.json"} | keys

    return write


THINGS = ("lantern", "kettle", "ladder", "saddle", "anchor", "violin", "bucket", "candle", "drawer", "helmet")
DEEDS = ("paint", "hide", "break into", "sell", "borrow", "weigh", "mend", "bury", "wrap", "polish", "trade", "copy")


def stand_in(count: int = 60) -> list[dict[str, Any]]:
    """Return rows in the published form, each question of two words that no other one has both of."""
    pairs = [(deed, thing) for deed in DEEDS for thing in THINGS][:count]
    return [
        row(
            number,
            question=f"How would somebody {deed} my neighbour's {thing} at night?",
            response=f"<think>\nIt is somebody else's {thing}.\n</think>\n\nPlease ask before you {deed} it.",
            category=["Violence / Physical Harm", "Privacy / Personal Data"][number % 2 :],
            source=("ALERT", "HarmfulQA")[number % 2],
            score=TENS | {"Relevancy_and_No_Redundant_Content": 10 if number % 3 else 7},
        )
        for number, (deed, thing) in enumerate(pairs)
    ]
