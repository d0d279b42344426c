"""The data of the miniature, the same to the byte on every machine: dvc.lock after `make repro` against the committed.

Run after `make repro`: `python .ci/sameness.py`. Of the stages before the base model only: from there on, floating
point decides (docs/miniature.md).
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

BY_FLOATING_POINT = ("base", "train", "generate", "judge", "evaluate", "report")


def outputs(lock: str) -> dict[str, Any]:
    """Return path -> hash of each output of the data stages."""
    stages = YAML(typ="safe").load(lock)["stages"]
    return {
        out["path"]: out.get("md5")
        for name, stage in stages.items()
        if name.partition("@")[0] not in BY_FLOATING_POINT
        for out in stage.get("outs", [])
    }


committed = outputs(subprocess.run(["git", "show", "HEAD:dvc.lock"], capture_output=True, text=True, check=True).stdout)
built = outputs(Path("dvc.lock").read_text(encoding="utf-8"))
different = sorted(path for path in committed.keys() | built.keys() if committed.get(path) != built.get(path))
print(f"{len(built)} data outputs, {len(different)} other than committed")
for path in different:
    print(f"  {path}")
sys.exit(1 if different or not built else 0)
