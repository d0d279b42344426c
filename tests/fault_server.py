"""A model endpoint on loopback that misbehaves on purpose: chat completions, files and batches in OpenAI's format.

Every request is counted when it has arrived whole. What goes wrong with one is decided by a function of its body and of
how often that body came before, so a run is repeatable whatever the order in which requests arrive.

As a process of its own, for benchmarks: `python -m tests.fault_server --latency 0.1` prints the URL.
"""

import argparse
import asyncio
import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.fault_batches import Batches

Body = dict[str, Any]
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests"}


@dataclass(frozen=True)
class Fault:
    """What goes wrong: an error status, or one of stall, cut, malformed, truncated, length, content_filter, quota."""

    kind: int | str
    retry_after: float | None = None  # seconds, of a 429 or 503
    code: str = "planned"  # of an error's body
    message: str = "planned"


Plan = Callable[[Body, int], Fault | None]
PASSING: tuple[int | str, ...] = (429, 500, 503, "stall", "cut", "malformed", "truncated")
KINDS = (*PASSING, "length", "content_filter", 400)


def no_fault(body: Body, earlier: int) -> None:
    """Plan nothing."""


def mixed(share: float, kinds: tuple[int | str, ...] = KINDS, seed: int = 0) -> Plan:
    """Plan a fault for `share` of the requests, of all kinds alike."""

    def plan(body: Body, earlier: int) -> Fault | None:
        text = json.dumps([seed, earlier, body["messages"]])
        chance = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64
        if chance >= share:
            return None
        kind = kinds[int(chance / share * len(kinds))]
        code = "content_filter" if kind == 400 else "planned"
        return Fault(kind, retry_after=0.05 if kind == 429 else None, code=code)

    return plan


def first(times: int, fault: Fault) -> Plan:
    """Plan one fault for the first `times` requests of each body."""
    return lambda body, earlier: fault if earlier < times else None


def usage(messages: list[dict[str, str]], text: str) -> dict[str, int]:
    """Count a token for every four characters."""
    prompt, reply = sum(len(message["content"]) for message in messages) // 4, len(text) // 4
    return {"prompt_tokens": prompt, "completion_tokens": reply, "total_tokens": prompt + reply}


@dataclass
class FaultServer:
    """The endpoint; `answer` makes a reply's text, or its message, from the request's body. Counts are its own."""

    answer: Callable[[Body], str | Body] = lambda body: '{"categories": ["Self-Harm"]}'
    plan: Plan = no_fault
    latency_s: float = 0.0
    counts: bool = True  # whether replies say what they took
    served: int = 0  # chat completions asked for, in all
    good: int = 0  # of these answered whole, with finish_reason stop
    most_at_once: int = 0
    came: Counter[str] = field(default_factory=Counter)  # last message's text -> how often it was asked for
    keys: set[str] = field(default_factory=set)  # that clients presented
    batches: Batches = field(default_factory=Batches)
    url: str = ""
    _now: int = 0

    async def serve(self, ready: Callable[[], None] = lambda: None) -> None:
        """Listen on a free port of 127.0.0.1 until cancelled."""
        listener = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
        ready()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            listener.close()  # serve_forever would also wait for idle connections, from Python 3.12 on

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while await self._exchange(reader, writer):
                pass
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        method, path, _ = head.split(" ", 2)
        headers = dict(re.findall(r"^([\w-]+): (.*?)\r$", head.lower(), re.M))
        content = await reader.readexactly(int(headers.get("content-length", 0)))
        if found := re.search(r"^authorization: bearer (.*?)\r$", head, re.M | re.I):
            self.keys.add(found[1])
        if path == "/v1/chat/completions":
            return await self._chat(json.loads(content), writer)
        if path == "/v1/served":
            _send(writer, 200, json.dumps({"served": self.served, "good": self.good}).encode())
        elif self.batches.lost_reply(method, path):
            self.batches.handle(method, path, headers.get("content-type", ""), content, self.completion)
            self.batches.stalled.set()
            await asyncio.sleep(3600)
        else:
            _send(writer, *self.batches.handle(method, path, headers.get("content-type", ""), content, self.completion))
        return True

    def completion(self, body: Body, finish_reason: str = "stop") -> Body:
        """Return the chat.completion body that answers a request body."""
        said = self.answer(body)
        message = {"role": "assistant"} | ({"content": said} if isinstance(said, str) else said)
        choice = {"index": 0, "message": message, "finish_reason": finish_reason}
        took = {"usage": usage(body["messages"], "".join(map(str, message.values())))} if self.counts else {}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [choice],
            **took,
        }

    async def _chat(self, body: Body, writer: asyncio.StreamWriter) -> bool:
        text = body["messages"][-1]["content"]
        earlier = self.came[text]
        self.came[text] += 1
        self.served += 1
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        try:
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            return await self._answer(body, self.plan(body, earlier), writer)
        finally:
            self._now -= 1

    async def _answer(self, body: Body, fault: Fault | None, writer: asyncio.StreamWriter) -> bool:
        if fault is None:
            _send(writer, 200, json.dumps(self.completion(body)).encode())
            self.good += 1
            return True
        if fault.kind == "quota":
            fault = Fault(429, code="insufficient_quota", message="You exceeded your current quota")
        if isinstance(fault.kind, int):
            error = {"message": fault.message, "type": fault.code, "code": fault.code, "param": None}
            wait = {} if fault.retry_after is None else {"retry-after": str(fault.retry_after)}
            _send(writer, fault.kind, json.dumps({"error": error}).encode(), wait)
            return True
        if fault.kind == "stall":
            await asyncio.sleep(3600)
        elif fault.kind == "malformed":
            _send(writer, 200, b'{"choices": [{"mess')
            return True
        elif fault.kind == "truncated":
            whole = json.dumps(self.completion(body)).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
            writer.write(b"content-length: %d\r\n\r\n" % len(whole) + whole[: len(whole) // 2])
            await writer.drain()
        elif fault.kind in ("length", "content_filter"):
            _send(writer, 200, json.dumps(self.completion(body, str(fault.kind))).encode())
            return True
        return False  # "cut", and "truncated" after its half: the connection ends here


def _send(writer: asyncio.StreamWriter, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Error')}", "content-type: application/json"]
    lines += [f"content-length: {len(content)}", *(f"{name}: {value}" for name, value in (headers or {}).items())]
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)


@contextmanager
def running(server: FaultServer) -> Iterator[FaultServer]:
    """Run the server in a thread of this process."""
    ready = threading.Event()
    serving: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[None]]] = []

    async def serve() -> None:
        task = asyncio.create_task(server.serve(ready.set))
        serving.append((asyncio.get_running_loop(), task))
        with suppress(asyncio.CancelledError):
            await task

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait()
    try:
        yield server
    finally:
        loop, task = serving[0]
        loop.call_soon_threadsafe(task.cancel)
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each reply")
    parser.add_argument("--faults", type=float, default=0.0, help="share of requests that meet a fault")
    arguments = parser.parse_args()
    server = FaultServer(latency_s=arguments.latency, plan=mixed(arguments.faults) if arguments.faults else no_fault)
    asyncio.run(server.serve(lambda: print(server.url, flush=True)))


if __name__ == "__main__":
    main()
