"""Commands that run a task on Linux: in the jail alone, or with bubblewrap around it."""

import os
import shutil
import sys
from pathlib import Path

from .inside import jail, main  # noqa: F401  (what the command starts; imported, it is compiled once)
from .process import Unavailable

FOLDER = Path(__file__).resolve().parent
# As -I -S, but PYTHONHASHSEED is read (process.ENVIRONMENT is all that there is): no folder of a user or of a project
# is on the path.
OPTIONS = ["-P", "-s", "-S"]
START = "import sys; sys.path.insert(0, sys.argv[1]); from inside.main import main; main()"


def jail_alone() -> list[str]:
    """Return the command without bubblewrap."""
    # The interpreter itself, not the virtual environment's link to it: packages are not wanted.
    return [os.path.realpath(sys.executable), *OPTIONS, "-c", START, str(FOLDER)]


def with_bubblewrap() -> list[str]:
    """Return the command with empty namespaces around it, in which only what Python needs is mounted, read-only."""
    bubblewrap = shutil.which("bwrap")
    if bubblewrap is None:
        raise Unavailable("bwrap is not installed")
    command = jail_alone()
    mounts = [*jail.readable(), command[0], str(FOLDER)]
    # As the first process of its namespace: bubblewrap would leave one of its own behind as a zombie.
    arguments = [
        "--unshare-all",
        "--as-pid-1",
        "--die-with-parent",
        "--cap-drop",
        "ALL",
        "--dev",
        "/dev",
        "--chdir",
        "/",
    ]
    for path in mounts:
        arguments += ["--ro-bind", path, path]
    arguments += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    return [bubblewrap, *arguments, *command]
