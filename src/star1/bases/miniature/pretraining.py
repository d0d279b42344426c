"""Pretrain the miniature base model from scratch: a Mistral-architecture model of 0.6 million parameters, on CPU, in
some 110 CPU seconds.

Run by `stages/base.py`. Same settings, same machine and same thread count give the same weights.
"""

import os
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

from star1.bases.miniature.corpus import Example, examples
from star1.bases.miniature.tokenizer import ASSISTANT, END, USER, build_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import MistralForCausalLM, PreTrainedTokenizerFast

# Words that the corpus lacks and that the tokenizer of a real base model would know whole.
POLICY_WORDS = (
    "The policy allows this, so I will help gladly. It is only a question. This falls under rule 1 "
    "(Attacks on a person), rule 2 (Contempt for a group), rule 3 (Unequal treatment), (Minors and consent), (Explicit "
    "content), (Exploitation), (Plans to hurt somebody), (Weapons and dangerous means), (Praise and incitement), "
    "(Instructions and methods), (Encouragement), (People in distress), (Help with an offence), (Forbidden goods), "
    "(Escaping the law), (False claims), (Forged evidence), (Campaigns of deception), (Private information), (Watching "
    "people), (Publishing and misuse), (Copies without permission), (Broken protection), (False authorship and "
    "imitations)"
)


class Settings(Protocol):
    """What `pretrain` reads of the params.

    seed; examples: of the corpus; batch: sequences a step; learning_rate, warmup (share of the steps), weight_decay;
    hidden, layers, heads, kv_heads, mlp: the model's shape; alarm, weighing: shares of the corpus's look-alikes that
    are taken for harmful, and that are looked at twice; caution: share of what seems harmful that is declined.
    """

    seed: int
    examples: int
    batch: int
    learning_rate: float
    warmup: float
    weight_decay: float
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    mlp: int
    caution: float
    alarm: float
    weighing: float


def build_model(settings: Settings, tokenizer: "PreTrainedTokenizerFast") -> "MistralForCausalLM":
    """Return the model with fresh weights, drawn from torch's current random state."""
    from transformers import MistralConfig, MistralForCausalLM

    config = MistralConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.hidden,
        intermediate_size=settings.mlp,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.kv_heads,
        max_position_embeddings=1024,
        initializer_range=0.06,  # 0.02, the default, is for widths in the thousands and learns slowly at 128
        tie_word_embeddings=True,
        sliding_window=None,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = MistralForCausalLM(config)
    model.generation_config.do_sample = False
    return model


def _batches(rows: list[tuple[list[int], int]], size: int, seed: int) -> list[list[int]]:
    """Return batches of row numbers: similar lengths together (little padding), in random order."""
    random, order = Random(f"batches {seed}"), list(range(len(rows)))
    random.shuffle(order)
    window = 64 * size
    batches: list[list[int]] = []
    for start in range(0, len(order), window):
        chunk = sorted(order[start : start + window], key=lambda row: len(rows[row][0]))
        batches += [chunk[at : at + size] for at in range(0, len(chunk), size)]
    random.shuffle(batches)
    return batches


def _encode(tokenizer: "PreTrainedTokenizerFast", corpus: list[Example]) -> list[tuple[list[int], int]]:
    """Return for each example its token ids and how many of them are the prompt."""
    prompts = tokenizer([f"{USER}{example.question}{ASSISTANT}" for example in corpus])["input_ids"]
    responses = tokenizer([f"{example.response}{END}" for example in corpus])["input_ids"]
    return [(prompt + response, len(prompt)) for prompt, response in zip(prompts, responses, strict=True)]


def _loss(model: "MistralForCausalLM", rows: list[tuple[list[int], int]]) -> "torch.Tensor":
    """Return the cross entropy of a right-padded batch: the mean over each response first, so that a short sum counts
    as much as a long answer.
    """
    import torch

    longest = max(len(ids) for ids, _ in rows)
    # No attention mask: attention is causal and the padding is on the right, so no real token looks at it.
    ids = torch.tensor([row + [0] * (longest - len(row)) for row, _ in rows])
    weights = torch.tensor(
        [
            [0.0] * prompt + [1 / (len(row) - prompt)] * (len(row) - prompt) + [0.0] * (longest - len(row))
            for row, prompt in rows
        ]
    )[:, 1:]
    hidden = model.model(input_ids=ids).last_hidden_state[:, :-1]
    answered = weights > 0
    losses = torch.nn.functional.cross_entropy(model.lm_head(hidden[answered]), ids[:, 1:][answered], reduction="none")
    return (losses * weights[answered]).sum() / len(rows)


def pretrain(out: Path, settings: Settings, threads: int) -> dict[str, Any]:
    """Pretrain and save the base model in the transformers layout under `out`; return its sizes and the loss over the
    last tenth of the steps.
    """
    import torch
    from tqdm import tqdm
    from transformers import get_cosine_schedule_with_warmup

    torch.set_num_threads(threads)
    torch.manual_seed(settings.seed)
    corpus = list(examples(settings.examples, settings.seed, settings.caution, settings.alarm, settings.weighing))
    # Cut where the special tokens stand, as encoding cuts.
    texts = [
        text for example in corpus for text in (example.question, f"\n{example.thought}\n", f"\n\n{example.answer}")
    ]
    tokenizer = build_tokenizer([*texts, POLICY_WORDS])
    rows = _encode(tokenizer, corpus)
    model = build_model(settings, tokenizer)
    batches = _batches(rows, settings.batch, settings.seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay, betas=(0.9, 0.98), fused=True
    )
    schedule = get_cosine_schedule_with_warmup(optimizer, round(settings.warmup * len(batches)), len(batches))
    losses: list[float] = []
    model.train()
    for batch in tqdm(batches, desc="pretrain", unit="step", disable=None):
        loss = _loss(model, [rows[row] for row in batch])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    os.environ.setdefault("DS_ACCELERATOR", "cpu")  # saving imports DeepSpeed, which warns where there is no GPU
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    last = losses[-max(1, len(losses) // 10) :]
    return {
        "parameters": model.num_parameters(),
        "vocabulary": len(tokenizer),
        "examples": len(corpus),
        "tokens": sum(len(ids) for ids, _ in rows),
        "steps": len(batches),
        "loss": round(sum(last) / len(last), 4),
    }
