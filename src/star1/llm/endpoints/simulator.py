"""The miniature world's teachers behind the real `openai` client, as an in-process transport.

So every reply takes the whole way through the wire format.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx2
import openai

from star1.llm.endpoints import Send
from star1.llm.endpoints.url import sender_of

if TYPE_CHECKING:
    from star1.llm.settings import RoleSending, Teacher


class _Transport(httpx2.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        from star1.miniature.teachers.simulator import reply

        return httpx2.Response(200, json=reply(json.loads(await request.aread())))


@asynccontextmanager
async def connect(role: str, teacher: "Teacher", sending: "RoleSending") -> AsyncIterator[Send]:
    """Yield `send` for the simulated teacher of a role."""
    http_client = httpx2.AsyncClient(transport=_Transport())
    async with openai.AsyncOpenAI(api_key="none", base_url="http://simulator/v1", http_client=http_client) as client:
        yield sender_of(client, sending)
