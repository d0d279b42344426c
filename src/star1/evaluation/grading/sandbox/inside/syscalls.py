"""The system calls that the jail lets through, and the filter program that says so to the kernel.

Numbers are those of the kernel's headers: (x86-64, aarch64), None where the architecture has no such call.
"""

import struct

# fmt: off
ALLOWED: dict[str, tuple[int | None, int | None]] = {
    # Open files, names of files, memory.
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "pwrite64": (18, 68), "close": (3, 57), "newfstatat": (262, 79), "fstat": (5, 80),
    "statx": (332, 291), "lseek": (8, 62), "mmap": (9, 222), "munmap": (11, 215), "mprotect": (10, 226),
    "mremap": (25, 216), "madvise": (28, 233), "brk": (12, 214),
    # Own signals, waiting, identity, time.
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "sigaltstack": (131, 132),
    "faccessat": (269, 48), "faccessat2": (439, 439), "pipe2": (293, 59), "pselect6": (270, 72), "ppoll": (271, 73),
    "dup": (32, 23), "dup3": (292, 24), "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178),
    "getuid": (102, 174), "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177), "getcwd": (79, 17),
    "getdents64": (217, 61), "readlinkat": (267, 78), "futex": (202, 98), "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123), "nanosleep": (35, 101), "clock_nanosleep": (230, 115),
    "clock_gettime": (228, 113), "clock_getres": (229, 114), "gettimeofday": (96, 169), "times": (100, 153),
    "getrusage": (98, 165), "sysinfo": (99, 179), "uname": (63, 160), "getrandom": (318, 278),
    "set_tid_address": (218, 96), "set_robust_list": (273, 99), "rseq": (334, 293), "exit": (60, 93),
    "exit_group": (231, 94), "restart_syscall": (219, 128), "membarrier": (324, 283),
    # Older forms that only x86-64 has, but for getrlimit.
    "stat": (4, None), "lstat": (6, None), "access": (21, None), "readlink": (89, None),
    "pipe": (22, None), "select": (23, None), "poll": (7, None), "dup2": (33, None), "getdents": (78, None),
    "time": (201, None), "getrlimit": (97, 163), "arch_prctl": (158, None),
}
# Let through for reading only; their flags are the argument of this position.
OPENING: dict[str, tuple[int | None, int | None]] = {"open": (2, None), "openat": (257, 56)}
FLAGS = {"open": 1, "openat": 2}
# Let through with certain arguments only; see `conditions`. clone3 fails as if the kernel did not know it, so that
# the C library falls back on clone, which is refused: no process, no thread.
SPECIAL: dict[str, tuple[int, int]] = {
    "ioctl": (16, 29), "fcntl": (72, 25), "prlimit64": (302, 261), "tgkill": (234, 131), "kill": (62, 129),
    "wait4": (61, 260), "clone3": (435, 435),
}
# fmt: on
# The architecture's constant in the kernel's audit numbering, by the name that os.uname() gives.
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, REFUSE, UNKNOWN, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000  # REFUSE: EPERM, UNKNOWN: ENOSYS

TCGETS = 0x5401
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_DUPFD_CLOEXEC. F_SETOWN would send signals to other processes.
FCNTL = (0, 1, 2, 3, 1030)

# O_WRONLY, O_RDWR, O_CREAT, O_TRUNC. Landlock refuses writing too, but before its third version a file that may be read
# may be emptied.
WRITING = 0x1 | 0x2 | 0x40 | 0x200


def argument(position: int, high: bool = False) -> int:
    """Return the offset of the low (or high) half of a system call's argument in the filter's input."""
    return 16 + 8 * position + 4 * high


def conditions(own: int, child: int | None) -> dict[str, list[tuple[int, tuple[int, ...]]]]:
    """Return for each special call the halves of arguments that are looked at, and the values that they may have.

    own: the process itself, which may send itself signals (abort does); child: the one process that it may kill and
    wait for, None for nobody.
    """
    allowed: dict[str, list[tuple[int, tuple[int, ...]]]] = {
        "ioctl": [(argument(1), (TCGETS,))],
        "fcntl": [(argument(1), FCNTL)],
        # Of its own limits, and with no new limit: reading.
        "prlimit64": [(argument(0), (0,)), (argument(2), (0,)), (argument(2, high=True), (0,))],
        "tgkill": [(argument(0), (own,))],
    }
    if child is not None:
        allowed |= {"kill": [(argument(0), (child,))], "wait4": [(argument(0), (child,))]}
    return allowed


def filter_program(machine: str, own: int, child: int | None) -> bytes:
    """Return the seccomp filter as BPF instructions of 8 bytes each. Raises KeyError for an unknown machine."""
    architecture, column = ARCHITECTURES[machine], list(ARCHITECTURES).index(machine)
    program = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, architecture), (RETURN, 0, 0, KILL), (LOAD, 0, 0, 0)]
    for numbers in ALLOWED.values():
        number = numbers[column]
        if number is not None:
            program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    for name, numbers in OPENING.items():
        number = numbers[column]
        if number is not None:
            program += [(EQUAL, 0, 4, number), (LOAD, 0, 0, argument(FLAGS[name])), (ANY_BIT, 1, 0, WRITING)]
            program += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    for name, halves in conditions(own, child).items():
        checks: list[tuple[int, int, int, int]] = []
        for offset, values in halves:
            # A value that fits jumps over those after it and over the refusal.
            tests = [(EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
            checks += [(LOAD, 0, 0, offset), *tests, (RETURN, 0, 0, REFUSE)]
        checks.append((RETURN, 0, 0, ALLOW))
        program += [(EQUAL, 0, len(checks), SPECIAL[name][column]), *checks]
    program += [(EQUAL, 0, 1, SPECIAL["clone3"][column]), (RETURN, 0, 0, UNKNOWN), (RETURN, 0, 0, REFUSE)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
