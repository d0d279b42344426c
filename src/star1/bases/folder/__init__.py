"""A base model from a folder on this machine."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from star1.bases.entries import FolderBase


def make(entry: "FolderBase", out: Path) -> None:
    """Copy the model into `out`."""
    shutil.copytree(entry.path, out, dirs_exist_ok=True)
