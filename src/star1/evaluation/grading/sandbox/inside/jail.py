"""A jail that a process locks itself into: resource limits, no capabilities, Landlock for files, seccomp for calls.

Linux on x86-64 and aarch64, a kernel from 5.13 on with Landlock; no rights are needed. Afterwards the process can read
the standard library and the system's libraries, and use processor and memory up to the limits. It cannot write a file,
open a socket, start a process or a thread, send a signal to another process, or see another one's memory. What it
still sees: whether a path exists and how large the file is (stat), and the names of the system (uname).

Threads are refused because they get round every other bound on the number of tasks: RLIMIT_NPROC counts all of a user's
processes and does nothing for root.
"""

import ctypes
import os
import resource
import struct
import sys

from .syscalls import filter_program

MEMORY = 1 << 30
OUTPUT = 1 << 20
LIBRARIES = ("/usr/lib", "/usr/lib32", "/usr/lib64", "/lib", "/lib64")

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
SIGKILL, SECCOMP_FILTER, CAPABILITY_VERSION_3 = 9, 2, 0x20080522
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
READ_FILE, READ_FOLDER = 1 << 2, 1 << 3
# Bits of file access that each version of Landlock knows; later versions know as many as the fifth.
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


class Refused(Exception):
    """The jail could not be set up; the message says which part and why."""


def lock_down(cpu_s: int, child: int | None = None) -> None:
    """Lock this process in, for good. cpu_s: seconds of processor time after which the kernel kills it; child: the one
    process that it may kill and wait for.

    Raises Refused where the system lacks a part; the process must then run nothing foreign.
    """
    machine = os.uname().machine
    if sys.platform != "linux" or machine not in ("x86_64", "aarch64") or sys.maxsize < 2**32:
        raise Refused(f"the jail knows Linux on x86_64 and aarch64, not {sys.platform} on {machine}")
    _set_limits(cpu_s)
    _prctl("dumpable", PR_SET_DUMPABLE, 0)
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    _check("dropping capabilities", libc.capset(header, bytes(24)))
    _prctl("death with the parent", PR_SET_PDEATHSIG, SIGKILL)
    _prctl("no new privileges", PR_SET_NO_NEW_PRIVS, 1)
    _restrict_files(signals=child is not None)
    _restrict_calls(filter_program(machine, os.getpid(), child))


def readable() -> list[str]:
    """Return the folders that Python itself needs to read, those that exist."""
    return [folder for folder in (os.path.join(sys.base_prefix, "lib"), *LIBRARIES) if os.path.isdir(folder)]


def _set_limits(cpu_s: int) -> None:
    limits = {
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_FSIZE: OUTPUT,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 64,
    }
    for limit, value in limits.items():
        _, hard = resource.getrlimit(limit)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))


def _restrict_files(signals: bool) -> None:
    version = libc.syscall(ctypes.c_long(CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        raise Refused("Landlock is not available: it needs a Linux kernel from 5.13 on that has it switched on")
    # Handled, and so refused where no rule allows it: all file access; TCP from version 4; from version 6 abstract
    # sockets (1) and signals to processes outside (2). The candidate is outside of the tester's domain.
    words = [(1 << FILE_RIGHTS.get(version, 16)) - 1] + [3] * (version >= 4) + [1 if signals else 3] * (version >= 6)
    attributes = struct.pack(f"={len(words)}Q", *words)
    ruleset = libc.syscall(
        ctypes.c_long(CREATE_RULESET), attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)
    )
    _check("Landlock's rules", ruleset)
    rules = [(folder, READ_FILE | READ_FOLDER) for folder in readable()] + [("/dev/urandom", READ_FILE)]
    for path, access in rules:
        if not os.path.exists(path):
            continue
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("=Qi", access, descriptor)
        done = libc.syscall(ctypes.c_long(ADD_RULE), ctypes.c_int(ruleset), ctypes.c_int(1), rule, ctypes.c_uint32(0))
        os.close(descriptor)
        _check(f"Landlock's rule for {path}", done)
    _check("Landlock", libc.syscall(ctypes.c_long(RESTRICT_SELF), ctypes.c_int(ruleset), ctypes.c_uint32(0)))
    os.close(ruleset)


def _restrict_calls(program: bytes) -> None:
    class Filter(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    loaded = Filter(len(program) // 8, program)
    _prctl("seccomp", PR_SET_SECCOMP, SECCOMP_FILTER, ctypes.addressof(loaded))


def _prctl(what: str, option: int, value: int, pointer: int = 0) -> None:
    zero = ctypes.c_ulong(0)
    _check(what, libc.prctl(ctypes.c_int(option), ctypes.c_ulong(value), ctypes.c_ulong(pointer), zero, zero))


def _check(what: str, result: int) -> None:
    if result < 0:
        raise Refused(f"{what}: {os.strerror(ctypes.get_errno())}")
