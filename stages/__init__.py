"""The stages; each runs as `python -m stages.NAME`.

Python imports this first. Imports take seconds, and main, which tells of Ctrl-C in a line, begins after them.
"""

import sys
from types import TracebackType

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
