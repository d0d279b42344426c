"""Model calls on loopback: throughput against a bare client, remembered rows a second, memory over 41,000 rows.

Run: `python benchmarks/calls.py` (some minutes). The server is tests/fault_server.py in a process of its own. Rivals,
over the same server in the same run: a bare AsyncOpenAI under one gather, and a pool of processes whose loop makes a
client for each call.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import openai
import pandas as pd

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from star1.asking import parsing  # noqa: E402
from star1.asking.questions import Questions  # noqa: E402
from star1.asking.rows import ask_rows  # noqa: E402
from star1.llm.requests import Messages  # noqa: E402
from star1.params import load  # noqa: E402

MODEL = "gpt-test"
# 1,200 characters, about as much as the question with its instructions takes; a policy adds 3,000.
FRAME = "Name the categories that this question belongs to, and nothing else, as JSON. " * 15


def message(tag: str, row_id: str) -> Messages:
    """Return the conversation about a row."""
    return [{"role": "user", "content": f"{FRAME}{tag} {row_id}"}]


def ids(rows: int) -> list[str]:
    """Return that many rows' ids."""
    return [f"{n:06}" for n in range(rows)]


@contextmanager
def server(latency_s: float) -> Iterator[str]:
    """Run the fault server, without faults, and yield its URL."""
    command = [sys.executable, "-m", "tests.fault_server", "--latency", str(latency_s)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def ours(url: str, tag: str, rows: int, concurrency: int, mode: str = "online") -> float:
    """Ask through the pipeline's own function, store included; return the seconds."""
    params = load(ROOT / "params.yaml")
    teacher = params.llm.classifier.model_copy(update={"base_url": url, "model": MODEL})
    roles = {**params.sending.roles, "classifier": {"concurrency": concurrency, "mode": mode}}
    sending = params.sending.model_copy(update={"roles": roles, "batch_poll_s": 0.2})
    questions = Questions(
        "classifier",
        pd.DataFrame({"id": ids(rows)}),
        lambda row: message(tag, row.id),
        lambda reply: parsing.categories(reply, ["Self-Harm"]),
    )
    began = time.perf_counter()
    asked = ask_rows("benchmark", questions, teacher, params.llm, sending)
    assert len(asked.values) == rows
    return time.perf_counter() - began


def bare(url: str, tag: str, rows: int, concurrency: int) -> float:
    """Ask with a bare AsyncOpenAI under one gather, nothing kept; return the seconds."""

    async def run() -> None:
        gate = asyncio.Semaphore(concurrency)

        async def one(client: openai.AsyncOpenAI, messages: Messages) -> str | None:
            async with gate:
                reply = await client.chat.completions.create(
                    model=MODEL, messages=messages, temperature=0.0, top_p=1.0, max_tokens=1024
                )
                return reply.choices[0].message.content

        async with openai.AsyncOpenAI(api_key="none", base_url=url) as client:
            await asyncio.gather(*(one(client, message(tag, row_id)) for row_id in ids(rows)))

    began = time.perf_counter()
    asyncio.run(run())
    return time.perf_counter() - began


def _call(job: tuple[str, Messages]) -> str | None:
    url, messages = job
    client = openai.OpenAI(api_key="none", base_url=url)
    reply = client.chat.completions.create(model=MODEL, messages=messages, temperature=0.0, max_tokens=1024)
    return reply.choices[0].message.content


def process_pool(url: str, tag: str, rows: int, processes: int) -> float:
    """Ask from a pool of processes, with a client for each call; return the seconds."""
    with ProcessPoolExecutor(processes) as pool:
        list(pool.map(_call, [(url, message(tag, "000000"))] * processes))  # imports are not counted
        began = time.perf_counter()
        list(pool.map(_call, ((url, message(tag, row_id)) for row_id in ids(rows))))
        return time.perf_counter() - began


def memory(field: str) -> float:
    """Return the memory held now (VmRSS), or at most so far (VmHWM), in MiB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def with_peak(url: str, tag: str, rows: int, concurrency: int, mode: str) -> None:
    """Ask about many rows after a few, and print how much more memory that takes at most."""
    ours(url, f"{tag} warm", 1_000, concurrency, mode)
    before = memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    seconds = ours(url, tag, rows, concurrency, mode)
    growth = memory("VmHWM") - before
    print(f"{rows:,} rows, {mode}: {rows / seconds:,.0f}/s, peak {growth:.0f} MiB above a small run")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=5_000)
    parser.add_argument("--rows", type=int, default=41_000)
    parser.add_argument("--latency", type=float, default=0.1)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    n, at_once = arguments.requests, arguments.concurrency
    with tempfile.TemporaryDirectory() as home:
        os.environ["STAR1_HOME"] = home
        with server(0.0) as url:
            with_peak(url, "m", arguments.rows, at_once, "online")
            for _ in range(arguments.repeats):
                began = time.process_time()
                seconds = ours(url, "m", arguments.rows, at_once)
                cpu = time.process_time() - began
                rates = f"{arguments.rows / seconds:,.0f}/s, {arguments.rows / cpu:,.0f} a CPU second"
                print(f"{arguments.rows:,} remembered rows: {rates}")
            with_peak(url, "batch", arguments.rows, at_once, "batch")
        with server(arguments.latency) as url:
            bare(url, "warm", 200, at_once)
            for repeat in range(arguments.repeats):
                rival, own = bare(url, f"b{repeat}", n, at_once), ours(url, f"o{repeat}", n, at_once)
                print(f"{n:,} requests: ours {n / own:,.0f}/s, bare {n / rival:,.0f}/s, ratio {rival / own:.2f}")
            few = max(200, n // 10)
            pool = process_pool(url, "p", few, arguments.processes)
            print(f"{few:,} requests, {arguments.processes} processes, a client a call: {few / pool:,.0f}/s")


if __name__ == "__main__":
    main()
