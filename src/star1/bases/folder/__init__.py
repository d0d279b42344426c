"""A base model from a folder on this machine."""

import json
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
    weights = {file.name for file in folder.glob("*.safetensors")}
    if not (folder / "config.json").is_file() or not weights:
        raise UserError(f"{folder}: no model in the transformers layout (config.json, *.safetensors) is there.")
    for index in sorted(folder.glob("*.safetensors.index.json")):
        try:
            absent = sorted(set(json.loads(index.read_bytes())["weight_map"].values()) - weights)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(f"{index}: no index of weights; fetch or copy it again.") from None
        if absent:
            raise UserError(f"{folder}: {absent[0]} is missing, which {index.name} names; fetch or copy it again.")
