"""Whether a folder holds a model: asked before anything is paid for, where the folder is here, and by stage `base`."""

import json
from pathlib import Path

from star1.errors import UserError


def require_model(folder: Path, shown: str) -> None:
    """Raise UserError unless a folder holds a model in the transformers layout, whole, with its tokenizer.

    shown: what the message calls it. Weights are not read: each file's header says how long the file must be.
    """
    weights = {file.name for file in folder.glob("*.safetensors")}
    if not (folder / "config.json").is_file() or not weights:
        raise UserError(f"{shown}: no model in the transformers layout (config.json, *.safetensors) is there.")
    for index in sorted(folder.glob("*.safetensors.index.json")):
        try:
            absent = sorted(set(json.loads(index.read_bytes())["weight_map"].values()) - weights)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UserError(f"{shown}: {index.name} is no index of weights; fetch or copy it again.") from None
        if absent:
            raise UserError(f"{shown}: {absent[0]} is missing, which {index.name} names; fetch or copy it again.")
    for name in sorted(weights):
        _require_whole(folder / name, shown)
    _require_tokenizer(folder, shown)


def _require_whole(file: Path, shown: str) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "np"):
            pass
    except (OSError, SafetensorError) as error:
        raise UserError(f"{shown}: {file.name} is not whole ({error}); fetch or copy it again.") from None


def _require_tokenizer(folder: Path, shown: str) -> None:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        if not tokenizer("a", add_special_tokens=False)["input_ids"]:  # what transformers makes of absent files
            raise ValueError("it has no tokens")
    except Exception as error:  # tokenizers raises Exception itself
        why = " ".join(str(error).split())[:200]
        raise UserError(f"{shown}: its tokenizer cannot be read ({why}); fetch or copy it again.") from None
