"""Hostile programs, and a script that runs them in a sandbox and looks from outside at what they did.

Every one is bounded: where the sandbox failed, it would do nothing worse than touch the script's own files. An attack
is a function of (port, canary, folder, site) and returns the names of what it got through, [] for a sandbox that holds.

    python attacks.py PROTECTION    # prints JSON: outcomes by attack, and what was seen from outside
"""

import ctypes
import json
import os
import socket
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HELPERS = """
import ctypes, gc, os, sys

def tried(**attempts):
    through = []
    for name, attempt in attempts.items():
        try:
            attempt()
        except (OSError, RuntimeError, MemoryError, ValueError):
            continue
        through.append(name)
    return through

def refused(name, *arguments):
    # 1 is EPERM, what the filter answers before the kernel has looked at the arguments.
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) < 0 and ctypes.get_errno() == 1:
        raise PermissionError
"""
# The word of the outcome, and the source.
ATTACKS = {
    "environment": ("passed", "def attack(*_): return [*os.environ, *sys.argv[1:], *sys.stdin.read().split()]"),
    "reading files": (
        "passed",
        """
def attack(port, canary, folder, site):
    paths = {"canary": canary, "passwd": "/etc/passwd", "shadow": "/etc/shadow", "script": site + "/../../../bin",
             "memory": "/dev/mem", "random": "/dev/zero"}
    return tried(**{name: lambda p=path: os.open(p, os.O_RDONLY) for name, path in paths.items()},
                 listing=lambda: os.listdir(folder), cwd=lambda: os.listdir("."), root=lambda: os.listdir("/root"))
""",
    ),
    "reading /proc": (
        "passed",
        """
def attack(*_):
    paths = ["/proc/%s/%s" % (who, what) for who in ("self", os.getppid(), 1)
             for what in ("environ", "mem", "maps", "cmdline", "fd/0", "root/etc/passwd")]
    return tried(**{path: lambda p=path: os.open(p, os.O_RDONLY) for path in paths}, all=lambda: os.listdir("/proc"))
""",
    ),
    "network": (
        "passed",
        """
def attack(port, *_):
    import socket
    def tcp(): socket.create_connection(("127.0.0.1", port), 1)
    def udp(): socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port))
    def local(): socket.socket(socket.AF_UNIX)
    def pair(): socket.socketpair()
    return tried(tcp=tcp, udp=udp, local=local, pair=pair)
""",
    ),
    "processes": (
        "passed",
        """
def attack(*_):
    import subprocess, _thread
    def fork():
        if os.fork() == 0: os._exit(0)
    def bomb():
        for _ in range(20): fork()
    def spawn(): os.posix_spawn(sys.executable, [sys.executable, "-V"], {})
    def thread(): _thread.start_new_thread(int, ())
    return tried(fork=fork, bomb=bomb, spawn=spawn, popen=lambda: subprocess.Popen([sys.executable, "-V"]),
                 execute=lambda: os.execv("/bin/true", ["true"]), thread=thread, session=os.setsid)
""",
    ),
    "memory": (
        "passed",
        """
def attack(*_):
    import mmap
    def grow():
        held = []
        for _ in range(20): held.append(mmap.mmap(-1, 1 << 26))
    return tried(grow=grow, once=lambda: bytearray(1 << 31), mapped=lambda: mmap.mmap(-1, 1 << 31),
                 limit=lambda: __import__("resource").setrlimit(0, (1, 1)))
""",
    ),
    "writing files": (
        "passed",
        """
def attack(port, canary, folder, site):
    def create(path): os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    def many():
        for number in range(50): create("%s/%d" % (folder, number))
    return tried(canary=lambda: os.open(canary, os.O_WRONLY), truncate=lambda: os.truncate(canary, 0), many=many,
                 create=lambda: create(folder + "/new"), packages=lambda: create(site + "/star1_attack.py"),
                 temporary=lambda: create("/tmp/star1_attack"), shared=lambda: create("/dev/shm/star1_attack"),
                 cwd=lambda: create("star1_attack"), fifo=lambda: os.mkfifo(folder + "/fifo"),
                 mode=lambda: os.chmod(canary, 0o777), owner=lambda: os.chown(canary, 1, 1),
                 time=lambda: os.utime(canary, (0, 0)), attribute=lambda: os.setxattr(canary, "user.x", b"x"),
                 rename=lambda: os.rename(canary, folder + "/moved"), remove=lambda: os.unlink(canary),
                 folder=lambda: os.mkdir(folder + "/made"), memory=lambda: os.memfd_create("x"))
""",
    ),
    "links": (
        "passed",
        """
def attack(port, canary, folder, site):
    return tried(symbolic=lambda: os.symlink("/etc/passwd", folder + "/link"),
                 hard=lambda: os.link(canary, folder + "/hard"),
                 through=lambda: os.open(folder + "/to_canary", os.O_RDONLY),
                 above=lambda: os.open(os.path.dirname(os.__file__) + "/../../../../../../.." + canary, os.O_RDONLY))
""",
    ),
    "signals": (
        "passed",
        """
def attack(*_):
    import fcntl
    reader, writer = os.pipe()
    return tried(parent=lambda: os.kill(os.getppid(), 0), group=lambda: os.killpg(0, 0),
                 everyone=lambda: os.kill(-1, 0),
                 first=lambda: os.kill(1, 0), thread=lambda: refused("tgkill", os.getppid(), os.getppid(), 0),
                 handle=lambda: os.pidfd_open(os.getppid()), owner=lambda: fcntl.fcntl(reader, 8, os.getppid()),
                 alarm=lambda: __import__("signal").setitimer(0, 1), parent_death=lambda: refused("prctl", 1, 9))
""",
    ),
    "system calls": (
        "passed",
        """
def attack(port, canary, folder, site):
    parent, nowhere = os.getppid(), folder.encode() + b"/no"
    calls = {"ptrace": (16, parent, 0, 0), "process_vm_readv": (parent, 0, 0, 0, 0, 0), "unshare": (1 << 28,),
             "setns": (0, 0), "mount": (0, nowhere, 0, 0, 0), "umount": (nowhere,), "chroot": (nowhere,),
             "setuid": (12345,), "personality": (0xFFFFFFFF,), "inotify_init": (), "eventfd": (0, 0),
             "shmget": (0, 4096, 0o1600), "setpriority": (0, 0, 19)}
    return tried(**{name: lambda n=name, a=arguments: refused(n, *a) for name, arguments in calls.items()},
                 terminal=lambda: __import__("fcntl").ioctl(2, 0x5412, b"x"))
""",
    ),
    "searching for the verdict": (
        "passed",
        """
def attack(port, canary, folder, site):
    import re
    texts, frame, own = [], sys._getframe(), (port, canary, folder, site)
    while frame:
        texts += [repr(value) for scope in (frame.f_locals, frame.f_globals) for value in list(scope.values())]
        frame = frame.f_back
    for thing in gc.get_objects():
        texts += [item for item in gc.get_referents(thing) if isinstance(item, (str, bytes))]
    nonces = [text for text in texts if re.fullmatch("[0-9a-f]{32}", str(text))]
    return nonces + ["tests" for text in texts if "SECRET" "_OF_THE_TESTS" in str(text)]
""",
    ),
    "ending first": ("failed", "os._exit(0)"),
    "leaving": ("failed", "def attack(*_): sys.exit(0)"),
    "ending in the call": ("failed", "def attack(*_): os._exit(0)"),
    "abort": ("failed", "def attack(*_): os.abort()"),
    "a bad address": ("failed", "def attack(*_): ctypes.string_at(1)"),
    "at exit": ("failed", "import atexit\natexit.register(print, 'passed')\ndef attack(*_): raise SystemExit"),
    "equal to everything": (
        "failed",
        "class Equal(list):\n    def __eq__(self, other): return True\ndef attack(*_): return Equal([1])",
    ),
    "replaced builtins": (
        "failed",
        """
import builtins
builtins.print = builtins.exec = builtins.compile = lambda *_: None
builtins.AssertionError = type("Never", (BaseException,), {})
def check(candidate): pass
def attack(*_): return ["wrong"]
""",
    ),
    "forged verdict": (
        "failed",
        """
from inside.values import encode
from inside import main, roles
main.be_tester = roles.be_tester = lambda *_: ("passed", "")
roles.encode = lambda value: encode((True, []))
for nonce in ("", "0" * 32):
    for descriptor in range(64):
        try: os.write(descriptor, encode((nonce, "passed", "")))
        except OSError: pass
def attack(*_): return ["wrong"]
""",
    ),
    "a long reply": ("failed", "def attack(*_): return 'x' * (1 << 25)"),
    "a deep reply": (
        "failed",
        "def attack(*_):\n    deep = []\n    for _ in range(9000): deep = [deep]\n    return deep",
    ),
    "endless recursion": ("failed", "def attack(*_):\n    def down(n): return down(n + 1) + 1\n    return down(0)"),
    "endless output": ("failed", "def attack(*_):\n    while True: print('x' * 65536)"),
    "endless loop": (
        "timeout",
        """
import signal
for number in range(1, 65):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
def attack(*_):
    while True:
        try: 1 / 0
        except BaseException: pass
""",
    ),
    "endless sum": ("timeout", "def attack(*_): return 9 ** 9 ** 9"),
    "endless sleep": ("timeout", "import time\ndef attack(*_): time.sleep(1000)"),
}


def run(protection: str) -> dict[str, object]:
    """Run all attacks, and report the outcomes and what can be seen from outside."""
    from star1.evaluation.grading.sandbox.run import PROTECTIONS, Program, Unavailable, run_one

    try:
        trial = run_one(PROTECTIONS[protection], Program("def f(): pass", "def check(f): f()", "f"), 30.0)
    except Unavailable as error:
        return {"unavailable": str(error)}
    if trial.word == "unjudged":
        return {"unavailable": trial.error}

    # Whoever loses its parent becomes a child of this process, so nobody stays unseen. 36 is PR_SET_CHILD_SUBREAPER.
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    site = sysconfig.get_paths()["purelib"]
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as listener:
        canary, folder = Path(name, "canary"), Path(name, "folder")
        canary.write_text("secret")
        folder.mkdir()
        (folder / "to_canary").symlink_to(canary)
        before = canary.stat()
        arguments = (listener.getsockname()[1], str(canary), str(folder), site)
        tests = f"# SECRET_OF_THE_TESTS\ndef check(f):\n    got = f(*{arguments!r})\n    assert got == [], got"

        def one(attack: str) -> tuple[str, str]:
            word, source = ATTACKS[attack]
            timeout_s = 0.3 if word == "timeout" else 30.0
            outcome = run_one(PROTECTIONS[protection], Program(HELPERS + source, tests, "attack"), timeout_s)
            return outcome.word, outcome.error

        with ThreadPoolExecutor(2) as pool:
            outcomes = dict(zip(ATTACKS, pool.map(one, ATTACKS), strict=True))
        listener.setblocking(False)
        seen = {
            "connections": _connections(listener),
            "processes left": _children(),
            "canary changed": canary.stat() != before or canary.read_text() != "secret",
            "new files": sorted(str(path) for path in _written(folder, site)),
        }
    return {"unavailable": None, "outcomes": outcomes, "seen": seen}


def _connections(listener: socket.socket) -> int:
    try:
        listener.accept()
    except BlockingIOError:
        return 0
    return 1


def _children() -> int:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return 0
    return 1


def _written(folder: Path, site: str) -> list[Path]:
    elsewhere = [Path(site, "star1_attack.py"), Path("/tmp/star1_attack"), Path("/dev/shm/star1_attack")]
    return [path for path in [*folder.iterdir(), *elsewhere] if path.name != "to_canary" and path.exists()]


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1])))
