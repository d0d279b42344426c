"""The miniature base model: 0.6 million parameters, pretrained from scratch on the miniature world."""

from pathlib import Path
from typing import TYPE_CHECKING

from star1.bases.miniature.pretraining import pretrain

if TYPE_CHECKING:
    from star1.bases.entries import MiniatureBase


def make(entry: "MiniatureBase", out: Path) -> None:
    """Pretrain the model and save it in the transformers layout under `out`."""
    pretrain(out, entry, entry.threads)
