"""The exact request to a model, and the hash under which its reply is remembered."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from star1.llm.settings import Served, Teacher

Messages = list[dict[str, str]]
_exact = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode

DECODING = "transformers-1"
"""The endpoint `transformers` in keys. Raise the number when its decoding gives other texts for the same request."""


@dataclass(frozen=True)
class Request:
    """One chat completion: the role that is asked, the endpoint (a URL or a local one), the body that is sent to it.

    `keyed` are the messages as the key has them, where these are not the body's: without the reasons for asking again,
    whose wording is the parser's, so that another wording asks for nothing anew.
    """

    role: str
    endpoint: str
    body: dict[str, Any]
    keyed: Messages | None = None

    @cached_property
    def key(self) -> str:
        """64 hex digits of the SHA-256 of role, endpoint and body; the same request has the same key everywhere."""
        body = self.body if self.keyed is None else self.body | {"messages": self.keyed}
        exact = _exact([self.role, self.endpoint, body])
        return hashlib.sha256(exact.encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def chars(self) -> int:
        """Characters of the messages."""
        return sum(len(message["content"]) for message in self.body["messages"])

    @property
    def max_tokens(self) -> int:
        """The most tokens that the reply may have."""
        return int(self.body.get("max_tokens") or self.body["max_completion_tokens"])


def endpoint_of(teacher: Teacher) -> str:
    """Return the endpoint's name in keys, with the content of a model of this pipeline that a URL serves."""
    name = DECODING if teacher.base_url == "transformers" else teacher.base_url.rstrip("/")
    return f"{name} {teacher.content}" if isinstance(teacher, Served) else name


def model_of(teacher: Teacher) -> str:
    """Return the model's name in a request: by content where it runs on this machine."""
    if teacher.base_url == "simulator":
        from star1.miniature.teachers.simulator import fingerprint

        # Another simulator is another model: its replies must not be mistaken for the old one's.
        return f"{teacher.model}-{fingerprint()}"
    if teacher.base_url in ("transformers", "vllm"):
        from star1.llm.identity import model_identity

        return model_identity(teacher.model)
    return teacher.model


def request(
    role: str,
    teacher: Teacher,
    messages: Messages,
    keyed: Messages | None = None,
    schema: dict[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Request:
    """Return the request that puts `messages` to a teacher with its sampling settings, and the reply's JSON schema.

    `settings` are further fields of this one request, such as a seed. A field that is None is not sent.
    """
    fields: dict[str, Any] = {
        "model": model_of(teacher),
        "messages": messages,
        "temperature": teacher.temperature,
        "top_p": teacher.top_p,
        "max_tokens": teacher.max_tokens,
        **teacher.extra,
        **(settings or {}),
    }
    body = {name: value for name, value in fields.items() if value is not None}
    if schema is not None and teacher.json_schema:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "reply", "strict": True, "schema": schema},
        }
    return Request(role, endpoint_of(teacher), body, keyed=keyed)
