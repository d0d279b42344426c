"""Attacks a sandbox from inside before anything else runs in it."""

import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

TIMEOUT_S = 120.0  # the first start of WebAssembly compiles for 5 s of processor time

# Returns the names of the attacks that succeeded. In plain Python, every one of them does.
ATTACKS = """
import os

def attacks(port, canary, folder):
    def connect():
        import socket
        socket.create_connection(("127.0.0.1", port), 2).close()

    def write():
        open(folder + "/written", "w").close()

    def read():
        open(canary).close()

    def environment():
        if not os.environ:
            raise PermissionError

    def fork():
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)

    def signal():
        os.kill(os.getppid(), 0)

    succeeded = []
    for attack in (connect, write, read, environment, fork, signal):
        try:
            attack()
        except Exception:
            continue
        succeeded.append(attack.__name__)
    return succeeded
"""


def fault(run: Callable[[str, str, str], tuple[str, str]]) -> str | None:
    """Return what is wrong with a sandbox, None where it holds.

    run: (solution, tests, entry_point) -> (word, error), in the sandbox in question.
    """
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as listener:
        folder, canary = Path(name) / "folder", Path(name) / "canary"
        folder.mkdir()
        canary.write_text("secret")
        # For an ordinary user inside, the files must be protected by the sandbox alone.
        os.chmod(name, 0o755)
        os.chmod(canary, 0o644)
        os.chmod(folder, 0o777)
        arguments = f"{listener.getsockname()[1]}, {str(canary)!r}, {str(folder)!r}"
        tests = f"def check(candidate):\n    through = candidate({arguments})\n    assert through == [], through\n"
        word, error = run(ATTACKS, tests, "attacks")
    return None if word == "passed" else f"self-test {word}: {error}"
