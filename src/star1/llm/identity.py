"""The name of a local model in the key of a response: its content, so that another model never answers for it."""

import hashlib
from functools import cache
from pathlib import Path


def model_identity(model: str) -> str:
    """Return the digest of a model folder (64 hex digits: names and bytes of all files but README.md), or a Hub name.

    A Hub name "owner/name@commit" is returned as it is: the commit already pins the content.
    """
    folder = Path(model)
    return _digest(folder.resolve()) if folder.is_dir() else model


@cache
def _digest(folder: Path) -> str:
    whole = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "README.md":  # the card describes the model; it decides no reply
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            whole.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return whole.hexdigest()
