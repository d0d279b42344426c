"""Token counts of replies: the endpoint's own, or else our count by characters."""

from math import ceil
from typing import Any

CHARS_A_TOKEN = 4.0  # of English text, where neither the endpoint nor the store knows the model's own ratio
MOST_TOKENS = 10**9  # of one call: above it, a count is no count, and a sum of many would not fit SQLite's 64 bits


def tokens(reply: dict[str, Any], prompt_chars: int) -> tuple[int, int]:
    """Return the tokens of prompt and reply that a reply says it took; where it says no such number, by characters.

    What is no reply (a refusal, or nothing) took none.
    """
    usage = reply.get("usage")
    values = [usage.get(name) if isinstance(usage, dict) else 0 for name in ("prompt_tokens", "completion_tokens")]
    prompt, answer = (value if type(value) is int and 0 < value <= MOST_TOKENS else 0 for value in values)
    if "choices" in reply:
        prompt, answer = prompt or _by_chars(prompt_chars), answer or _by_chars(_chars(reply))
    return prompt, answer


def _by_chars(chars: int) -> int:
    return min(ceil(chars / CHARS_A_TOKEN), MOST_TOKENS)


def _chars(reply: dict[str, Any]) -> int:
    """Return the characters of a reply's text and thought."""
    try:
        message = reply["choices"][0]["message"]
        texts = [message.get(name) for name in ("content", "reasoning_content", "reasoning")]
    except (LookupError, TypeError, AttributeError):
        return 0
    return sum(len(text) for text in texts if isinstance(text, str))
