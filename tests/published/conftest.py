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
