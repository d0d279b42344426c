"""Types of params that several sections share."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

LOCAL = ("simulator", "transformers", "vllm")  # endpoints on this machine

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # NumPy takes no other
# No dot in it: DVC reads the dot of `runs.v1.1` as a level of params.yaml.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


def _address(url: str) -> str:
    if url in LOCAL:
        return url
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port beyond 65535
        whole = False
    if not whole:
        raise ValueError(f"must be {', '.join(LOCAL)}, or a URL such as https://api.openai.com/v1")
    return url


Address = Annotated[str, AfterValidator(_address)]
