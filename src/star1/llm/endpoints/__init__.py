"""The ways of reaching a model, one file each: a URL, the simulator, transformers in this process, a vLLM server.

Each module has `connect(role, teacher, sending)`, an async context manager that yields `send`: a request in, the whole
reply as a chat completion out. `send` raises Passing for what another try may mend, and UserError for what none will.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from star1.pipeline.fields import LOCAL

if TYPE_CHECKING:
    from star1.llm.requests import Request
    from star1.llm.settings import RoleSending, Teacher

Send = Callable[["Request"], Awaitable[dict[str, Any]]]


class Passing(Exception):
    """The endpoint did not answer this time; the message says what it did. `wait_s`: how long it asked to wait."""

    def __init__(self, problem: str, wait_s: float | None = None) -> None:
        super().__init__(problem)
        self.wait_s = wait_s


def section_of(role: str) -> str:
    """Return the section of params.yaml that says whom a role asks, and how."""
    return "evaluate" if role == "model" else f"llm.{role}"


def model_param_of(role: str) -> str:
    """Return the param that names a role's model."""
    return "evaluate.models" if role == "model" else f"llm.{role}.model"


def connect(role: str, teacher: "Teacher", sending: "RoleSending") -> AbstractAsyncContextManager[Send]:
    """Return the connection to a teacher, to be entered. Raises UserError if its key is missing or it cannot start."""
    name = teacher.base_url if teacher.base_url in LOCAL else "url"
    connection: AbstractAsyncContextManager[Send] = import_module(f"star1.llm.endpoints.{name}").connect(
        role, teacher, sending
    )
    return connection
