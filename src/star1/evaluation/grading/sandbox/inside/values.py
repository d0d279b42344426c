"""Plain values as bytes and back: what passes between the tests and the function that they test.

Reading builds values of Python's own types and nothing else, whatever the bytes say. (pickle and marshal do not
promise that. json would, but it has no tuples and sets, and its import takes as long as the interpreter's start.)
A value is a letter for its type, the length of what follows, a colon, and that.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # the import of typing takes longer than the interpreter's start
    from collections.abc import Callable, Iterator
    from typing import Any


class Unknown:
    """Stands for a value of a type that does not pass; equal to nothing but itself."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return f"<a value of type {self.kind}>"


def encode(value: Any) -> bytes:
    """Return a value as bytes; subclasses pass as their base class, iterators as their items, others as `Unknown`."""
    letter, body = _letter_and_body(value)
    return b"%s%d:%s" % (letter, len(body), body)


def decode(data: bytes) -> Any:
    """Return the value that `encode` wrote. Raises ValueError for other bytes."""
    try:
        values = list(_each(data))
    except (TypeError, ArithmeticError, RecursionError) as error:
        raise ValueError(f"no value can be made of it: {error}") from None
    if len(values) != 1:
        raise ValueError(f"{len(values)} values where one was expected")
    return values[0]


def _letter_and_body(value: Any) -> tuple[bytes, bytes]:
    for kind, letter, body in ENCODERS:
        if isinstance(value, kind):
            return letter, body(value)
    for module, kind in EXACT.items():
        if module in sys.modules and isinstance(value, getattr(sys.modules[module], kind)):
            return kind[:1].encode(), encode(str(value))
    if hasattr(value, "__next__"):
        return b"a", _all(value)
    return b"u", encode(type(value).__name__)


def _all(values: Any) -> bytes:
    return b"".join([encode(value) for value in values])


def _pairs(mapping: Any) -> bytes:
    return b"".join([encode(key) + encode(mapping[key]) for key in mapping])


ENCODERS: list[tuple[Any, bytes, Callable[[Any], bytes]]] = [
    (type(None), b"n", lambda value: b""),
    (bool, b"b", lambda value: b"1" if value else b""),
    (int, b"i", lambda value: b"%x" % value),
    (float, b"f", lambda value: float.hex(value).encode()),
    (complex, b"c", lambda value: encode(value.real) + encode(value.imag)),
    (str, b"s", lambda value: value.encode("utf-8", "surrogatepass")),
    (bytes, b"y", bytes),
    (bytearray, b"m", bytes),
    (list, b"l", _all),
    (tuple, b"t", _all),
    (set, b"e", _all),
    (frozenset, b"z", _all),
    (dict, b"d", _pairs),
    (range, b"r", lambda value: _all([value.start, value.stop, value.step])),
]
# Exact numbers of the standard library, by module; written as text, by the first letter of their name.
EXACT = {"fractions": "Fraction", "decimal": "Decimal"}


def _each(data: bytes) -> Iterator[Any]:
    place = 0
    while place < len(data):
        colon = data.index(b":", place + 1, place + 20)
        end = colon + 1 + int(data[place + 1 : colon])
        if end > len(data) or end <= colon:
            raise ValueError("a value is longer than its bytes")
        letter = data[place : place + 1]
        if letter not in DECODERS:
            raise ValueError(f"no type has the letter {letter!r}")
        yield DECODERS[letter](data[colon + 1 : end])
        place = end


def _mapping(body: bytes) -> dict[Any, Any]:
    values = list(_each(body))
    return dict(zip(values[::2], values[1::2], strict=True))


def _fraction(body: bytes) -> Any:
    from fractions import Fraction  # here, because few programs need it and its import is slow

    return Fraction(decode(body))


def _decimal(body: bytes) -> Any:
    from decimal import Decimal

    return Decimal(decode(body))


DECODERS: dict[bytes, Callable[[bytes], Any]] = {
    b"n": lambda body: None,
    b"b": lambda body: body == b"1",
    b"i": lambda body: int(body, 16),
    b"f": lambda body: float.fromhex(body.decode()),
    b"c": lambda body: complex(*_each(body)),
    b"s": lambda body: body.decode("utf-8", "surrogatepass"),
    b"y": bytes,
    b"m": bytearray,
    b"l": lambda body: list(_each(body)),
    b"t": lambda body: tuple(_each(body)),
    b"e": lambda body: set(_each(body)),
    b"z": lambda body: frozenset(_each(body)),
    b"d": _mapping,
    b"r": lambda body: range(*_each(body)),
    b"a": lambda body: _each(body),
    b"F": _fraction,
    b"D": _decimal,
    b"u": lambda body: Unknown(decode(body)),
}
