"""The stages; each runs as `python -m stages.NAME`.

Python imports this first. Imports take seconds, and main, which tells of Ctrl-C in a line, begins after them.
"""

import os
import sys
from pathlib import Path
from types import TracebackType

# A stage and the processes that it starts run the code beside it, whatever copy of star1 is installed:
# `dvc exp run --temp` and --queue work in a copy of the repository, whose code may be another.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))
os.environ["PYTHONPATH"] = os.pathsep.join([sys.path[0], *filter(None, [os.environ.get("PYTHONPATH")])])

import star1  # noqa: F401 - it sets GOMP_SPINCOUNT, which OpenMP reads when a stage imports torch


def _excepthook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted before the stage began.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _excepthook

if sys.argv[0] == "-m":  # `python -m stages.NAME` looks for its module
    # transformers would import scikit-learn, a CPU second in each process, for a way of decoding that no stage uses.
    sys.modules.setdefault("sklearn", None)  # type: ignore[arg-type]
