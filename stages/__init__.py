"""The stages; each runs as `python -m stages.NAME`.

Python imports this first. Imports take seconds, and main, which tells of Ctrl-C in a line, begins after them.
"""

import sys
from types import TracebackType


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("interrupted before the stage began.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _told
