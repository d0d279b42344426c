"""A model of 92,000 parameters with random weights, for engines that serve real folders of models."""

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

QUESTION = "Why is the sky blue?"
SHAPE = SimpleNamespace(hidden=64, layers=2, heads=2, kv_heads=1, mlp=128)  # vLLM on a CPU wants heads of 32 or more
AFTER = 5  # tokens of the greedy reply to QUESTION before the one that is made a second end of sequence


def write(folder: Path) -> list[int]:
    """Write the model and its tokenizer; return the greedy reply to QUESTION, without its end, as token ids.

    generation_config.json names two ends: the tokenizer's, and the token that this reply would go on with.
    """
    import torch

    from star1.bases.miniature.pretraining import build_model
    from star1.bases.miniature.tokenizer import build_tokenizer
    from star1.llm.endpoints.rendering import prompt_ids

    os.environ.setdefault("DS_ACCELERATOR", "cpu")  # saving imports DeepSpeed, which warns where there is no GPU
    tokenizer = build_tokenizer([QUESTION, "It is the air that scatters the light of the sun."])
    torch.manual_seed(0)
    model: Any = build_model(SHAPE, tokenizer)  # type: ignore[arg-type]
    with torch.no_grad():
        for weights in model.model.layers.parameters():
            if weights.ndim == 2:
                weights *= 3  # else every token is followed by itself, since embeddings and output are tied
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    ids = prompt_ids(tokenizer, [{"role": "user", "content": QUESTION}])
    reply = greedy(model.eval(), ids, 20, 1.2)
    end = reply[AFTER]
    assert end not in reply[:AFTER]
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": [tokenizer.eos_token_id, end]}))
    return reply[:AFTER]


def greedy(model: Any, ids: list[int], tokens: int, penalty: float) -> list[int]:
    """Return the tokens that follow `ids`, with a repetition penalty on the whole sequence, by a loop of our own."""
    import torch

    sequence = list(ids)
    with torch.inference_mode():
        for _ in range(tokens):
            logits = model(torch.tensor([sequence])).logits[0, -1]
            seen = torch.tensor(sorted(set(sequence)))
            logits[seen] = torch.where(logits[seen] > 0, logits[seen] / penalty, logits[seen] * penalty)
            sequence.append(int(logits.argmax()))
    return sequence[len(ids) :]
