"""Types of params that several sections share."""

import json
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

LOCAL = ("simulator", "transformers", "vllm")  # endpoints on this machine

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0, lt=2**31)]  # torch and numba take no thread or word count of any size
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # NumPy takes no other
OURS = ("model", "messages", "max_tokens", "n", "stream")  # fields of a request that no param `extra` may set
# A name of ASCII labels, or an IPv6 address. With another host the HTTP client would fail at the first request.
HOST = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?|[0-9a-f]*:[0-9a-f:.]+")
# No dot in it: DVC reads the dot of `runs.v1.1` as a level of params.yaml. Short: it names files, which have 255 bytes
# at most, with what a temporary file adds.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=100)]


def _address(url: str) -> str:
    if url in LOCAL:
        return url
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(HOST.fullmatch(parts.hostname or "")) and parts.port != 0
        whole = whole and url.isprintable() and " " not in url  # urlsplit passes over line ends and tabs
    except ValueError:  # a port beyond 65535
        whole = False
    if not whole:
        raise ValueError(f"must be {', '.join(LOCAL)}, or a URL such as https://api.openai.com/v1")
    return url


Address = Annotated[str, AfterValidator(_address)]


def _extra(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields as JSON gives them back: the names that YAML reads as numbers are strings there, and are sorted
    as such, so that a request read from the store or a batch has the key it was sent with.
    """
    try:
        plain: dict[str, Any] = json.loads(json.dumps(fields, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"no JSON ({error})") from None
    if taken := [name for name in OURS if name in plain]:
        raise ValueError(f"{taken[0]} is not for extra: star1 itself sets {', '.join(OURS)}")
    return plain


Extra = Annotated[dict[str, Any], AfterValidator(_extra)]
