"""Places on disk: the repository, and the folder of what is no DVC output: responses, MLflow's database, Data Docs."""

import os
from pathlib import Path

from star1.errors import UserError


def repository() -> Path:
    """Return the nearest folder at or above the working one that holds dvc.yaml and params.yaml, as a relative path.

    Raises UserError if there is none.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file() and (folder / "params.yaml").is_file():
            return Path(os.path.relpath(folder, here))
    raise UserError(
        f"{here}: no dvc.yaml and params.yaml here or in a folder above; run the command in the repository."
    )


def home() -> Path:
    """Return STAR1_HOME, by default .star1, which lies in the main repository if it is relative.

    `dvc exp run --temp` and `--queue` work in a copy of the repository; DVC_ROOT names the main one there too.
    Raises UserError outside of a repository.
    """
    named = Path(os.environ.get("STAR1_HOME") or ".star1")
    return named if named.is_absolute() else Path(os.environ.get("DVC_ROOT") or repository()) / named
