"""What runs inside the sandbox: values as bytes, and the system calls by the kernel's own headers."""

import contextlib
import os
import re
import struct
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star1.evaluation.grading.sandbox.inside import syscalls
from star1.evaluation.grading.sandbox.inside.values import Unknown, decode, encode

SIMPLE = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(10**5000, 10**5001)
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text(st.characters(codec=None))
    | st.binary()
    | st.fractions()
    | st.decimals(allow_nan=False)
)
KEYS = st.integers() | st.text() | st.tuples(st.integers(), st.text())
VALUES = st.recursive(
    SIMPLE,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.sets(KEYS)
        | st.frozensets(KEYS)
        | st.dictionaries(KEYS, inner)
        | st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.sampled_from([-2, 1, 3]))
    ),
    max_leaves=8,
)


def types(value: Any) -> Any:
    """Return a value with the type of each part, so that 1, 1.0 and True differ."""
    if isinstance(value, dict):
        return [(types(key), types(value[key])) for key in value]
    return type(value), [types(part) for part in value] if isinstance(value, list | tuple) else repr_of(value)


def repr_of(value: Any) -> Any:
    return value if isinstance(value, int | Fraction | Decimal | set | frozenset) else repr(value)


@settings(max_examples=50)
@given(VALUES)
def test_values_come_back_as_they_were(value: Any) -> None:
    assert types(decode(encode(value))) == types(value)


def test_iterators_come_back_as_iterators_and_other_objects_as_unknown() -> None:
    back = decode(encode(iter([1, "x"])))
    assert isinstance(back, Iterator)
    assert list(back) == [1, "x"]
    back = decode(encode([Path("x")]))[0]
    assert isinstance(back, Unknown)
    assert back != back.kind
    assert repr(back) == f"<a value of type {type(Path('x')).__name__}>"


@settings(max_examples=50)
@given(VALUES, st.data())
def test_other_bytes_are_a_value_error_or_another_value(value: Any, data: st.DataObject) -> None:
    written = bytearray(encode(value))
    place = data.draw(st.integers(0, len(written) - 1))
    written[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    with contextlib.suppress(ValueError):
        decode(bytes(written))


@pytest.mark.parametrize(
    "written",
    [
        b"",
        b"n0:n0:",
        b"n1:",
        b"i1:",
        b"l99:",
        b"e4:l1:",
        b"x0:",
        b"F9:s3:1/0",
        b"d3:n0:",
        b"r3:n0:",
        b"f10:0x1p999999",
        b"l-3:",
    ],
)
def test_malformed_bytes_are_a_value_error(written: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(written)


@pytest.mark.parametrize(
    ("column", "header", "pattern"),
    [
        (0, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h", r"#define __NR_(\w+) (\d+)"),
        (1, "/usr/include/asm-generic/unistd.h", r"#define __NR(?:3264)?_(\w+) (\d+)"),
    ],
)
def test_numbers_of_system_calls_are_the_kernels(column: int, header: str, pattern: str) -> None:
    if not Path(header).is_file():
        pytest.skip(f"no {header} here")
    known = {name: int(number) for name, number in re.findall(pattern, Path(header).read_text())}
    known.setdefault("newfstatat", known.get("fstatat", -1))  # the generic table's older name of it
    table = syscalls.ALLOWED | syscalls.OPENING | syscalls.SPECIAL
    ours = {name: numbers[column] for name, numbers in table.items() if numbers[column] is not None}
    assert ours == {name: known.get(name) for name in ours}


@pytest.mark.parametrize("machine", syscalls.ARCHITECTURES)
@pytest.mark.parametrize("child", [None, 4321])
def test_the_filter_decides_by_call_and_arguments(machine: str, child: int | None) -> None:
    program = syscalls.filter_program(machine, 1234, child)
    numbers = dict(syscalls.ALLOWED | syscalls.OPENING | syscalls.SPECIAL)
    column = list(syscalls.ARCHITECTURES).index(machine)

    def decide(name: str | int, *arguments: int, architecture: int = syscalls.ARCHITECTURES[machine]) -> int:
        number = name if isinstance(name, int) else numbers[name][column]
        return run_filter(program, architecture, number or 0, arguments)

    assert decide("read") == decide("exit_group") == syscalls.ALLOW
    assert decide(5000) == decide(0x40000000) == syscalls.REFUSE
    assert decide("read", architecture=0x40000003) == syscalls.KILL
    assert decide("clone3") == syscalls.UNKNOWN
    reading = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY
    assert decide("openat", 0, 0, reading) == syscalls.ALLOW
    for flag in (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_TMPFILE | os.O_WRONLY):
        assert decide("openat", 0, 0, reading | flag) == syscalls.REFUSE
    assert decide("ioctl", 2, syscalls.TCGETS) == decide("fcntl", 2, 1030) == syscalls.ALLOW
    assert decide("ioctl", 2, 0x5412) == decide("fcntl", 2, 8) == syscalls.REFUSE
    assert decide("prlimit64", 0, 7, 0, 99) == syscalls.ALLOW
    assert decide("prlimit64", 0, 7, 1 << 32) == decide("prlimit64", 0, 7, 1) == syscalls.REFUSE
    assert decide("prlimit64", 7, 7, 0) == decide("tgkill", 4321, 4321, 9) == syscalls.REFUSE
    assert decide("tgkill", 1234, 1, 6) == syscalls.ALLOW
    expected = syscalls.ALLOW if child else syscalls.REFUSE
    assert decide("kill", 4321, 9) == decide("wait4", 4321) == expected
    assert decide("kill", 2**32 - 1, 9) == decide("kill", 1, 9) == syscalls.REFUSE


def run_filter(program: bytes, architecture: int, number: int, arguments: tuple[int, ...]) -> int:
    """Run the filter as the kernel does, on struct seccomp_data."""
    padded = (*arguments, *[0] * (6 - len(arguments)))
    data = struct.pack("<IIQ6Q", number, architecture, 0, *padded)
    place, held = 0, 0
    while True:
        code, if_equal, otherwise, value = struct.unpack_from("=HBBI", program, 8 * place)
        place += 1
        if code == syscalls.LOAD:
            (held,) = struct.unpack_from("<I", data, value)
        elif code in (syscalls.EQUAL, syscalls.ANY_BIT):
            place += if_equal if (held == value if code == syscalls.EQUAL else held & value) else otherwise
        else:
            assert code == syscalls.RETURN
            return value
