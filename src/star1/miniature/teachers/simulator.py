"""The simulated teachers behind the chat-completions format: a request body in, a chat.completion body out.

The reply depends on the text of the request and on nothing else, so the same request always gets the same bytes. Four
models, told apart by how their names begin.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from star1.miniature.teachers.classifier import classify
from star1.miniature.teachers.reading import Prompt, read
from star1.miniature.teachers.reasoner import reason_by_policies, reason_without_policies
from star1.miniature.teachers.rewriter import rewrite
from star1.miniature.teachers.scorer import score
from star1.miniature.world.frames import digest

WRITERS = {"simulated-classifier": classify, "simulated-scorer": score, "simulated-rewriter": rewrite}
REASONER = "simulated-reasoner"
MODELS = (*WRITERS, REASONER)
EPOCH = 1_743_465_600  # 2025-04-01, a fixed base for `created`: the simulator reads no clock


@cache
def fingerprint() -> str:
    """Return 16 hex digits that change whenever the simulator or the world does, for the model's name in requests."""
    miniature = Path(__file__).parent.parent
    files = sorted(
        path
        for folder in ("teachers", "world")
        for path in (miniature / folder).iterdir()
        if path.suffix in (".py", ".txt")
    )
    digests = "".join(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    return hashlib.sha256(digests.encode()).hexdigest()[:16]


def _tokens(text: str) -> int:
    return len(text.split())


def _message(model: str, prompt: Prompt, chance: int) -> tuple[dict[str, str], str]:
    for name, write in WRITERS.items():
        if model.startswith(name):
            return {"role": "assistant", "content": write(prompt, chance)}, "stop"
    reply = (reason_by_policies if prompt.policies else reason_without_policies)(prompt, chance)
    if digest("length", chance) % 200 < 3:  # cut off as at a token limit
        return {
            "role": "assistant",
            "content": reply.answer[: len(reply.answer) // 2],
            "reasoning_content": reply.thinking,
        }, "length"
    return {"role": "assistant", "content": reply.answer, "reasoning_content": reply.thinking}, "stop"


def reply(request: dict[str, Any]) -> dict[str, Any]:
    """Answer a chat-completions request body with a chat.completion body.

    Raises ValueError for a model that it does not play.
    """
    model = str(request["model"])
    if not model.startswith(MODELS):
        raise ValueError(f"the simulator plays no model {model!r}: a name begins with one of {', '.join(MODELS)}")
    read_parts = {key: request[key] for key in ("messages", "temperature", "top_p", "seed") if key in request}
    # The name counts up to its role only: a fingerprint in it must not throw other dice for the same text.
    role = next(name for name in MODELS if model.startswith(name))
    chance = digest(role, json.dumps(read_parts, sort_keys=True))
    prompt = read(request["messages"])
    message, finish_reason = _message(model, prompt, chance)
    prompt_tokens, completion_tokens = (
        _tokens(prompt.text),
        _tokens(message["content"]) + _tokens(message.get("reasoning_content", "")),
    )
    return {
        "id": f"chatcmpl-{chance:016x}",
        "object": "chat.completion",
        "created": EPOCH + chance % 10_000_000,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }
