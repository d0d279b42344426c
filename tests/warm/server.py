"""The server of warm starts: imports what is installed and slow to import, then forks for each command that comes.

Between the server and a command stands a process that leads the command's session: it tells the client how the command
ended, and ends command and all that it started when the client is gone, as a killed `dvc repro` takes its stage along.
"""

import array
import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

Command = dict[str, object]


def preload(names: list[str]) -> None:
    """Import; raise if that started a thread, which a fork would lose."""
    for name in names:
        with suppress(ImportError):  # an extra that is not installed
            importlib.import_module(name)
    threads = len(os.listdir("/proc/self/task"))
    assert threads == 1, f"{threads} threads after the imports; none of them would be in a fork"
    gc.collect()
    gc.freeze()  # else the first collection in a fork copies every page


def accepted(listener: socket.socket) -> socket.socket | None:
    """Wait for a client; None at the end of the input."""
    while True:
        ready, _, _ = select.select([listener, 0], [], [], 1.0)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if listener in ready:
            return listener.accept()[0]
        if ready:
            return None


def received(client: socket.socket) -> tuple[Command, list[int]]:
    """Return a command and its three streams."""
    head, ancillary, _, _ = client.recvmsg(4, socket.CMSG_SPACE(3 * array.array("i").itemsize))
    streams = array.array("i")
    for _, _, data in ancillary:
        streams.frombytes(data)
    size, body = int.from_bytes(head, "big"), b""
    while len(body) < size:
        body += client.recv(size - len(body))
    return json.loads(body), list(streams)


def lead(client: socket.socket) -> None:
    """Return in a fork, which is to be the command. The process itself waits for it, and tells the client its end."""
    os.setsid()
    command = os.fork()
    if command == 0:
        return
    ended = os.pidfd_open(command)
    ready, _, _ = select.select([ended, client], [], [])
    if ended not in ready:  # the client was killed
        os.killpg(0, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    with suppress(OSError):
        client.sendall(str(code).encode())
    os._exit(0)


def become(command: Command, streams: list[int]) -> str:
    """Take a command's folder, environment, streams and path; return the file or module to run."""
    name, argv, environment = command["name"], command["argv"], command["environment"]
    assert isinstance(name, str) and isinstance(argv, list) and isinstance(environment, dict)
    os.chdir(str(command["folder"]))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()  # a fork has its server's state; random sees to itself
    file = str(Path(sys.executable).parent / name)
    paths = environment.get("PYTHONPATH")
    sys.path[:0] = [str(command["folder"]) if name == "python" else str(Path(file).parent)]
    sys.path[1:1] = paths.split(os.pathsep) if paths else []
    if name != "python":
        sys.argv[:] = [file, *argv]
        return file
    if argv[0] == "-u":
        sys.stdout.reconfigure(write_through=True)  # type: ignore[union-attr]
        del argv[0]
    if argv[1] == "accelerate.commands.launch":
        sys.executable = f"{Path(sys.argv[1]).parent}/bin/python"  # it starts the training with this
    sys.argv[:] = argv[1:]
    sys.modules.pop(argv[1], None)
    return str(argv[1])


def run(command: Command, streams: list[int]) -> int:
    """Run the command to its end; return its status.

    What an interpreter does at its end is done here, but for the freeing of all modules: 0.3 s of copied pages.
    """
    wanted, code = become(command, streams), 0
    try:
        if command["name"] != "python":
            runpy.run_path(wanted, run_name="__main__")
        else:
            runpy.run_module(wanted, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if code and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    return code


def main() -> None:
    """Serve until the input ends; in a fork, be the command."""
    del sys.path[0]  # this folder
    preload(sys.argv[2:])
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen(64)
        print("ready", flush=True)
        while True:
            client = accepted(listener)
            if client is None:
                return
            with client:
                command, streams = received(client)
                if os.fork() == 0:
                    listener.close()
                    lead(client)
                    break
                for stream in streams:
                    os.close(stream)
        client.close()
    os._exit(run(command, streams))


if __name__ == "__main__":
    main()
