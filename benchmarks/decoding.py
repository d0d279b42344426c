"""The transformers endpoint against generate() with padding in batches of 128, which is not batch-invariant.

Run: `nice python benchmarks/decoding.py` (some minutes on one core). The model has the miniature's shape and random
weights, which hardly ever end a text; `--model models/base` takes a trained one. 976 prompts of 8 to 40 tokens, at most
96 new tokens, one thread. Both load the model and see the same prompts in the same run; the endpoint's time holds the
rendering of the prompts and the hand-over to its thread as well.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from star1.bases.miniature.corpus import examples  # noqa: E402
from star1.bases.miniature.pretraining import build_model  # noqa: E402
from star1.bases.miniature.tokenizer import build_tokenizer  # noqa: E402
from star1.llm.endpoints import decoding  # noqa: E402
from star1.llm.endpoints.rendering import prompt_ids  # noqa: E402
from star1.llm.endpoints.transformers import connect  # noqa: E402
from star1.llm.requests import Request  # noqa: E402
from star1.params import load  # noqa: E402

PROMPTS, IN_FLIGHT, NEW_TOKENS, RIVAL_ROWS = 976, 512, 96, 128


def random_model(out: Path) -> None:
    """Save a model of the miniature's shape with random weights, and a tokenizer of its corpus."""
    settings = load(ROOT / "params.yaml").bases["miniature"]
    torch.manual_seed(settings.seed)
    corpus = examples(3000, settings.seed, settings.caution, settings.alarm, settings.weighing)
    tokenizer = build_tokenizer([text for e in corpus for text in (e.question, e.thought, e.answer)])
    build_model(settings, tokenizer).save_pretrained(out)
    tokenizer.save_pretrained(out)


def questions(tokenizer: Any) -> list[str]:
    """Return questions of the corpus whose prompts have 8 to 40 tokens."""
    settings = load(ROOT / "params.yaml").bases["miniature"]
    found = dict.fromkeys(
        example.question
        for example in examples(6000, 7, settings.caution, settings.alarm, settings.weighing)
        if 8 <= len(prompt_ids(tokenizer, [{"role": "user", "content": example.question}])) <= 40
    )
    return random.Random(0).sample(list(found), PROMPTS)


def ours(model: Path, asked: list[str], penalty: float) -> list[str]:
    """Return the endpoint's replies, with as many requests in flight as a stage has."""
    sampling = {"max_tokens": NEW_TOKENS, "temperature": 0.0, "top_p": 1.0, "repetition_penalty": penalty}

    async def run() -> list[str]:
        slots = asyncio.Semaphore(IN_FLIGHT)
        teacher: Any = SimpleNamespace(model=str(model))
        async with connect("model", teacher, SimpleNamespace(threads=1)) as send:

            async def one(question: str) -> str:
                body = {"model": "m", "messages": [{"role": "user", "content": question}], **sampling}
                async with slots:
                    reply = await send(Request("model", "transformers", body))
                return str(reply["choices"][0]["message"]["content"])

            return await asyncio.gather(*map(one, asked))

    return asyncio.run(run())


def rival(model: Path, asked: list[str], penalty: float) -> list[str]:
    """Return the replies of generate(): prompts by length, padded on the left to the longest of a batch."""
    tokenizer = AutoTokenizer.from_pretrained(model)
    net = AutoModelForCausalLM.from_pretrained(model).eval()
    prompts = [prompt_ids(tokenizer, [{"role": "user", "content": question}]) for question in asked]
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    texts = [""] * len(prompts)
    for start in range(0, len(order), RIVAL_ROWS):
        chosen = order[start : start + RIVAL_ROWS]
        width = len(prompts[chosen[-1]])
        rows = [[tokenizer.pad_token_id] * (width - len(prompts[i])) + prompts[i] for i in chosen]
        mask = [[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in chosen]
        with torch.inference_mode():
            output = net.generate(
                input_ids=torch.tensor(rows),
                attention_mask=torch.tensor(mask),
                do_sample=False,
                repetition_penalty=penalty,
                max_new_tokens=NEW_TOKENS,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
        for i, tokens in zip(chosen, output[:, width:].tolist(), strict=True):
            end = tokens.index(tokenizer.eos_token_id) if tokenizer.eos_token_id in tokens else len(tokens)
            texts[i] = tokenizer.decode(tokens[:end], skip_special_tokens=False)
    return texts


def main() -> None:
    """Print CPU seconds of both, their ratio, and how many texts are the same."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, help="a trained model's folder")
    parser.add_argument("--penalty", type=float, default=1.0)
    parser.add_argument("--rows", type=int, nargs="+", default=[decoding.ROWS], help="rows of our batches")
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        model = chosen.model or Path(folder)
        if not chosen.model:
            random_model(model)
        asked = questions(AutoTokenizer.from_pretrained(model))
        ours(model, asked[:8], chosen.penalty)  # the first forward pass of a process takes longer
        for run in range(chosen.runs):
            started = time.process_time()
            theirs = rival(model, asked, chosen.penalty)
            rival_s = time.process_time() - started
            print(f"run {run}: generate() in batches of {RIVAL_ROWS}: {rival_s:.1f} CPU s")
            for decoding.ROWS in chosen.rows:
                started = time.process_time()
                made = ours(model, asked, chosen.penalty)
                ours_s = time.process_time() - started
                same = sum(a == b for a, b in zip(made, theirs, strict=True))
                print(
                    f"  endpoint, {decoding.ROWS} rows: {ours_s:.1f} CPU s, {ours_s / rival_s:.2f} of it; "
                    f"{same} of {PROMPTS} texts the same",
                    flush=True,
                )


if __name__ == "__main__":
    main()
