"""A base model from a folder on this machine."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from star1.errors import UserError

if TYPE_CHECKING:
    from star1.bases.entries import FolderBase


def make(entry: "FolderBase", out: Path) -> None:
    """Copy the model into `out`. Raises UserError if the folder holds no model in the transformers layout."""
    folder = Path(entry.path)
    require_model(folder)
    shutil.copytree(folder, out, dirs_exist_ok=True)


def require_model(folder: Path) -> None:
    """Raise UserError if the folder holds no model in the transformers layout."""
    if not (folder / "config.json").is_file() or not list(folder.glob("*.safetensors")):
        raise UserError(f"{folder}: no model in the transformers layout (config.json, *.safetensors) is there.")
