"""From a teacher's reply to a value: strict on content, tolerant of fences and trailing commas, never evaluated."""

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, StrictInt, ValidationError, create_model

from star1.artifacts import MAX_CHARS
from star1.replies import split_reply

MAX_REASON_CHARS = 1000  # of what an endpoint says for itself, such as an error's code
HAZARDS = tuple(f"S{number}" for number in range(1, 15))  # of Llama Guard 3, after MLCommons' taxonomy

# Strings are matched too, so that a comma within one stays; one that never ends goes on to the end of the text, so that
# no character is looked at twice.
COMMA_TOO_MANY = re.compile(r'("(?:[^"\\]+|\\.)*"?)|,(\s*[}\]])', re.DOTALL)


class UnusableReply(Exception):
    """The reply does not fit what was asked; the message says why. `repairable` says whether asking again may help."""

    def __init__(self, reason: str, repairable: bool = True) -> None:
        super().__init__(_encodable(reason)[:MAX_REASON_CHARS])
        self.repairable = repairable


@dataclass(frozen=True)
class Thought:
    """A reasoning model's reply; `response` is the published form."""

    response: str
    thinking: str
    answer: str


def _encodable(text: str) -> str:
    """Return `text` with each half of a surrogate pair written out: UTF-8, and so parquet, has no bytes for it."""
    return text.encode("utf-8", "backslashreplace").decode()


def raw_text(reply: dict[str, Any]) -> str | None:
    """Return a reply's text as it may be shown and quoted, whatever is wrong with it; None if it has none."""
    text = reply["choices"][0]["message"].get("content") if "choices" in reply else None
    return _encodable(text) if isinstance(text, str) else None


def _checked(text: str, repairable: bool = False) -> str:
    """Return `text`. Raises UnusableReply if no table could hold it: half a surrogate pair, or too many characters."""
    if len(text) > MAX_CHARS:
        raise UnusableReply(f"it has {len(text):,} characters, more than {MAX_CHARS:,}", repairable)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise UnusableReply(f"it holds half a surrogate pair at character {error.start:,}", repairable) from None
    return text


def _no_reply(error: dict[str, Any]) -> UnusableReply:
    """Return the error for a request that got no reply. A code that is a number says less than the message."""
    code = error["code"]
    why = code if code and isinstance(code, str) else error["message"]
    return UnusableReply(f"the endpoint gave no reply: {why}", repairable=False)


def content(reply: dict[str, Any]) -> str:
    """Return the text of a finished reply.

    Raises UnusableReply if it is empty, ended for any reason but stop, or could stand in no table.
    """
    if "choices" not in reply:
        raise _no_reply(reply["error"])
    choice = reply["choices"][0]
    if choice["finish_reason"] != "stop":
        raise UnusableReply(f"it ended with finish_reason {choice['finish_reason']}", repairable=False)
    text = choice["message"].get("content")
    if not isinstance(text, str) or not text.strip():
        raise UnusableReply("it is empty")
    return _checked(text)


def reply_text(reply: dict[str, Any]) -> tuple[str, str | None, str]:
    """Return (text, thought, finish_reason) of a reply however it ended; the thought where it has a field of its own.

    Raises UnusableReply where the endpoint gave no reply, or one that could stand in no table.
    """
    if "choices" not in reply:
        raise _no_reply(reply["error"])
    choice = reply["choices"][0]
    text, message = choice["message"].get("content"), choice["message"]
    apart = message.get("reasoning_content") or message.get("reasoning")
    return (
        _checked(text) if isinstance(text, str) else "",
        _checked(apart) if isinstance(apart, str) else None,
        str(choice["finish_reason"]),
    )


def thought(reply: dict[str, Any]) -> Thought:
    """Return thinking and answer, whether the thought came inline in its tags or in a field of its own."""
    text = content(reply)
    message = reply["choices"][0]["message"]
    apart = message.get("reasoning_content") or message.get("reasoning")
    thinking, answer = (_checked(apart).strip(), text.strip()) if isinstance(apart, str) else split_reply(text)
    if not thinking:
        raise UnusableReply("it holds no thought", repairable=False)
    if not answer:
        raise UnusableReply("it holds no answer", repairable=False)
    response = f"<think>\n{thinking}\n</think>\n\n{answer}"
    if split_reply(response) != (thinking, answer):  # whoever splits the published form would get other parts
        raise UnusableReply("its thought holds a tag of thoughts", repairable=False)
    return Thought(response, thinking, answer)


def json_object(text: str) -> dict[str, Any]:
    """Return the JSON object in `text`, which may stand in a fence, amid prose, or end lists with a comma.

    Of a reply that begins with a thought only the answer counts: a thought may hold braces too.
    """
    if not text.lstrip().startswith("{"):
        text = split_reply(text)[1] or text
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise UnusableReply("it holds no JSON object")
    body = text[start : end + 1]
    for candidate in (body, COMMA_TOO_MANY.sub(r"\1\2", body)):
        try:
            value = json.loads(candidate)
        except (ValueError, RecursionError):  # a ValueError too: a number of more than 4,300 digits
            continue
        if isinstance(value, dict):
            return value
    raise UnusableReply("its JSON cannot be read")


class _Categories(BaseModel):
    categories: list[str] = Field(min_length=1)


class _Question(BaseModel):
    question: str = Field(min_length=1, max_length=10_000)


RefusalClass = Literal["full_compliance", "partial_refusal", "full_refusal"]
CLASSES: tuple[str, ...] = get_args(RefusalClass)


class _Refusal(BaseModel):
    named: RefusalClass = Field(alias="class")


def _validated(model: type[BaseModel], reply: dict[str, Any]) -> Any:
    try:
        return model.model_validate(json_object(content(reply)))
    except ValidationError as error:
        first = error.errors()[0]
        raise UnusableReply(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def categories(reply: dict[str, Any], allowed: list[str]) -> list[str]:
    """Return the categories named, each once, in the order of `allowed`; any other name makes the reply unusable."""
    named = _validated(_Categories, reply).categories
    unknown = [name for name in named if name not in allowed]
    if unknown:
        raise UnusableReply(f"{unknown[0][:80]!r} is not one of the categories")
    return [name for name in allowed if name in named]


def scores(reply: dict[str, Any], criteria: tuple[str, ...], lowest: int, highest: int) -> dict[str, int]:
    """Return a whole number from `lowest` to `highest` for each criterion."""
    return dict(_validated(_scores(criteria, lowest, highest), reply).model_dump())


@cache
def _scores(criteria: tuple[str, ...], lowest: int, highest: int) -> type[BaseModel]:
    number = (StrictInt, Field(ge=lowest, le=highest))
    return create_model("Scores", __config__=ConfigDict(extra="ignore"), **dict.fromkeys(criteria, number))  # type: ignore[call-overload]


def _schema(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def categories_schema(allowed: list[str]) -> dict[str, Any]:
    """Return the JSON schema of a reply that `categories` reads."""
    return _schema(categories={"type": "array", "items": {"type": "string", "enum": allowed}})


def scores_schema(criteria: tuple[str, ...], lowest: int, highest: int) -> dict[str, Any]:
    """Return the JSON schema of a reply that `scores` reads."""
    number = {"type": "integer", "enum": list(range(lowest, highest + 1))}
    return _schema(**dict.fromkeys(criteria, number))


QUESTION_SCHEMA = _schema(question={"type": "string"})


def question(reply: dict[str, Any]) -> str:
    """Return the rewritten question."""
    text = _checked(_validated(_Question, reply).question, repairable=True).strip()
    if not text:
        raise UnusableReply("the question is empty")
    return str(text)


REFUSAL_SCHEMA = _schema(**{"class": {"type": "string", "enum": list(CLASSES)}})


def refusal_class(reply: dict[str, Any]) -> RefusalClass:
    """Return how far an answer did what was asked."""
    named: RefusalClass = _validated(_Refusal, reply).named
    return named


@dataclass(frozen=True)
class Guarded:
    """A guard model's verdict; `hazards` are the codes it gave for what is unsafe, S1 to S14, in the order of their
    numbers.
    """

    safe: bool
    hazards: tuple[str, ...] = ()


def guarded(reply: dict[str, Any]) -> Guarded:
    """Return a verdict in Llama Guard's form: "safe", or "unsafe" and below it the codes of the hazards.

    Anything else is unusable and not asked again: a guard model would judge the request for another form instead.
    """
    try:
        lines = [line.strip() for line in content(reply).strip().splitlines()]
    except UnusableReply as problem:
        raise UnusableReply(str(problem), repairable=False) from None
    if lines == ["safe"]:
        return Guarded(True)
    codes = [code.strip() for code in lines[1].split(",")] if len(lines) == 2 and lines[0] == "unsafe" else []
    if not codes or not set(codes) <= set(HAZARDS):
        raise UnusableReply("it is neither safe, nor unsafe with a line of hazards", repairable=False)
    return Guarded(False, tuple(code for code in HAZARDS if code in codes))
