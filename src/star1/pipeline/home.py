"""Where things lie that outlive a run and are no DVC outputs: remembered responses, MLflow's database, Data Docs."""

import os
from pathlib import Path


def home() -> Path:
    """Return STAR1_HOME, or .star1 in the main repository.

    `dvc exp run --temp` and `--queue` work in a copy of the repository; DVC_ROOT names the main one there too.
    """
    return Path(os.environ.get("STAR1_HOME") or Path(os.environ.get("DVC_ROOT", ".")) / ".star1")
