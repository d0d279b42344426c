"""The two parts that a sandbox plays, each in a process of its own.

The candidate holds the generated code. The tester holds the tests, asks the candidate for values, and gives the
verdict. In its own process generated code can do what it likes: replace `print` or the exceptions, search memory,
answer before it is asked, end the process. The tests, the verdict and the nonce that makes it valid are not there. Only
plain values come out, and the tests compare them in a process that the generated code cannot change.
"""

from __future__ import annotations

from .values import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:  # the import of typing takes longer than the interpreter's start
    from collections.abc import Callable
    from typing import Any, BinaryIO

LONGEST_MESSAGE = 1 << 24


class CandidateError(Exception):
    """What the tests see of an exception in the generated code: its last line."""


class Deadline(BaseException):
    """The time is up. No Exception, so that tests that catch those do not catch it."""


def send(stream: BinaryIO, value: Any) -> None:
    """Write one message."""
    body = encode(value)
    stream.write(b"%d\n%s" % (len(body), body))
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Read one message. Raises EOFError where the other side has gone, ValueError for anything but a message."""
    head = stream.readline(20)
    if not head:
        raise EOFError
    if not head.strip().isdigit():
        raise ValueError("a message without its length")
    size = int(head)
    if size > LONGEST_MESSAGE:
        raise ValueError(f"a value of more than {LONGEST_MESSAGE >> 20} MiB")
    body = stream.read(size)
    if len(body) < size:
        raise EOFError
    return decode(body)


def last_line(error: BaseException) -> str:
    """Return what a traceback ends with."""
    try:
        text = str(error)
    except Exception:
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def be_candidate(requests: BinaryIO, replies: BinaryIO) -> None:
    """Define the function that the first request names and call it for every further one, until there are no more."""
    source, name = receive(requests)
    # Not "__main__": what a program does when it is run as a script is not asked for.
    scope: dict[str, Any] = {"__name__": "solution"}

    def define() -> None:
        exec(compile(source, "<solution>", "exec"), scope)
        scope[name]

    _answer(replies, define)
    while True:
        try:
            arguments, named = receive(requests)
        except EOFError:
            return
        _answer(replies, lambda: scope[name](*arguments, **named))  # noqa: B023  (called at once)


def _answer(replies: BinaryIO, call: Callable[[], Any]) -> None:
    try:
        message = encode((True, call()))
    except BaseException as error:
        message = encode((False, last_line(error)))
    replies.write(b"%d\n%s" % (len(message), message))
    replies.flush()


def be_tester(requests: BinaryIO, replies: BinaryIO, solution: str, tests: str, entry_point: str) -> tuple[str, str]:
    """Run the tests' check() on the candidate's function. Returns ("passed" | "failed" | "timeout", why)."""

    def ask(message: Any) -> Any:
        try:
            send(requests, message)
            reply = receive(replies)
        except (EOFError, BrokenPipeError):
            raise CandidateError("the program ended before its tests did") from None
        if not isinstance(reply, tuple) or len(reply) != 2:
            raise ValueError("a message that is no reply")
        if reply[0] is not True:
            raise CandidateError(str(reply[1]))
        return reply[1]

    def candidate(*arguments: Any, **named: Any) -> Any:
        return ask((arguments, named))

    try:
        ask((solution, entry_point))
        scope: dict[str, Any] = {"__name__": "tests"}
        exec(compile(tests, "<tests>", "exec"), scope)
        # Tests may call the function by its name too (HumanEval/33 does).
        scope[entry_point] = candidate
        scope["check"](candidate)
    except Deadline:
        return "timeout", ""
    except CandidateError as error:
        return "failed", str(error)
    except BaseException as error:
        return "failed", last_line(error) + _failing_line(error, tests)
    return "passed", ""


def _failing_line(error: BaseException, tests: str) -> str:
    """Return the line of the tests in which an exception was raised, after a colon."""
    number, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<tests>":
            number = trace.tb_lineno
        trace = trace.tb_next
    lines = tests.splitlines()
    return f": {lines[number - 1].strip()}" if 0 < number <= len(lines) else ""
