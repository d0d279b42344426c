"""What is asked of a model, exactly, and the hash under which its reply is remembered."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from star1.params import Teacher

Messages = list[dict[str, str]]
_exact = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class Request:
    """One chat completion: the role of the teacher that is asked, the body that is sent to it, the sample's number.

    `keyed` are the messages as the key has them, where these are not the body's: without the reasons for asking again,
    whose wording is the parser's, so that another wording asks for nothing anew.
    """

    role: str
    body: dict[str, Any]
    sample: int = 0
    keyed: Messages | None = None

    @cached_property
    def key(self) -> str:
        """64 hex digits of the SHA-256 of role, body and sample; the same request has the same key everywhere."""
        body = self.body if self.keyed is None else self.body | {"messages": self.keyed}
        exact = _exact([self.role, body, self.sample])
        return hashlib.sha256(exact.encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def chars(self) -> int:
        """Characters of the messages."""
        return sum(len(message["content"]) for message in self.body["messages"])


def request(
    role: str,
    teacher: "Teacher",
    messages: Messages,
    keyed: Messages | None = None,
    schema: dict[str, Any] | None = None,
) -> Request:
    """Return the request that puts `messages` to a teacher with its sampling settings, and the reply's JSON schema."""
    model = teacher.model
    if teacher.base_url == "simulator":
        from star1.miniature.simulator import fingerprint

        # Another simulator is another model: its replies must not be mistaken for the old one's.
        model = f"{model}-{fingerprint()}"
    sampling = {"temperature": teacher.temperature, "top_p": teacher.top_p, "max_tokens": teacher.max_tokens}
    body: dict[str, Any] = {"model": model, "messages": messages, **sampling}
    if schema is not None and teacher.json_schema:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "reply", "strict": True, "schema": schema},
        }
    return Request(role, body, keyed=keyed)
