"""`dvc`, `star1` or `python`, by the name of this file: have the server fork and do it, or do it plainly.

Runs without site-packages (-IS), 15 ms.
"""

import array
import json
import os
import re
import signal
import socket
import sys

HERE, NAME = os.path.split(os.path.abspath(__file__))
FOLDER = os.path.dirname(HERE)
# -u: as torchrun starts its ranks.
MODULE = re.compile(r"(-u )?-m (stages\.\w+|accelerate\.commands\.launch|tests\.training\.launched)( |$)")
# What no import of the server's reads: a command may have its own. HOME is read by the imports of huggingface_hub.
LATE = re.compile(
    r"PATH|PYTHONPATH|PWD|OLDPWD|SHLVL|_|(PYTEST|DVC|STAR1|AWS|CELERY|_MP|ACCELERATE|TORCHELASTIC|KMP)_\w+|\w+_API_KEY|"
    r"GOMP_SPINCOUNT|RANK|WORLD_SIZE|(LOCAL|GROUP|ROLE|MASTER)_\w+|TORCH_NCCL_\w+|PYTORCH_NVML_BASED_CUDA_CHECK"
    + ("|HOME" if NAME == "dvc" else "")
)


def known() -> bool:
    """Say whether the server can do this: any but another module of Python's, in the environment of its imports."""
    if NAME == "python" and not MODULE.match(" ".join(sys.argv[1:])):
        return False
    with open(os.path.join(FOLDER, "environment.json")) as file:
        theirs = json.load(file)
    return all(
        theirs.get(name) == os.environ.get(name)
        for name in theirs.keys() | os.environ.keys()
        if not LATE.fullmatch(name)
    )


def main() -> None:
    """Send the command and the three streams; end as it ends."""
    plain = os.path.join(os.path.dirname(sys.executable), NAME)
    if not known():
        os.execv(plain, [plain, *sys.argv[1:]])
    command = {"name": NAME, "argv": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}
    body = json.dumps(command).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(os.path.join(FOLDER, "socket"))
        streams = array.array("i", [0, 1, 2])
        server.sendmsg([len(body).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
        server.sendall(body)
        answer = server.recv(16)
    if not answer:
        raise SystemExit("the server of warm starts is gone")
    code = int(answer)
    if code < 0:  # by a signal: end by the same one
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    raise SystemExit(code)


main()
