"""Batch-invariant decoding: the tokens of a row depend on the row alone, not on the rows that are generated with it.

`generate()` of transformers pads a batch to its longest prompt, so other rows decide the shapes that the kernels see,
and kernels round differently for other shapes. Its repetition penalty also counts the padding. Here every shape (rows
of a batch, padded length of the prompt, length of the cache at each step) follows from the row alone, the penalty
counts the row's own tokens, and each row draws from its own seed.

Float32 on a CPU, a batch on one thread: the same bits in any company, tested. Another processor may change the last
bits, and so a text whose two best tokens are that near. The same holds for a GPU, where bfloat16 ties are common. A
mixture of experts is not batch-invariant: how many rows an expert gets depends on all of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from threading import Event
from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

ROWS = 64  # of a batch: fewer waste time per step, more wait longer for the last row (benchmarks/decoding.py)
CACHED_TOKENS = 2**19  # rows times tokens that a batch may come to: 28 GiB of cache at the shape of Qwen2.5-7B
PREFILL_TOKENS = 2**16  # rows times tokens of one forward pass over the prompts; bounds its activations


@dataclass(frozen=True)
class Row:
    """A prompt's token ids and how to continue it. Temperature 0 is greedy; `seed` names the row's random numbers."""

    prompt: list[int]
    max_tokens: int
    temperature: float
    top_p: float
    repetition_penalty: float
    seed: str


@dataclass(frozen=True)
class Completion:
    """The tokens that follow a prompt, without the end token; `finish_reason` is "stop" or "length"."""

    tokens: list[int]
    finish_reason: str


@dataclass(frozen=True)
class Shape:
    """How many rows a batch has, repeats of rows included, and how many tokens their prompts are padded to."""

    rows: int
    width: int


def shape_of(row: Row, exact: bool) -> Shape:
    """Return the shape of the batches that a row may be part of.

    The padded length is in steps of 16 tokens, or of an eighth to a quarter of the prompt; with `exact`, of one token.
    There is always some padding: transformers takes other kernels for a batch without any.
    """
    length = len(row.prompt)
    step = 1 if exact else max(16, 2 ** (length.bit_length() - 3))
    width = (length // step + 1) * step
    rows = ROWS
    while rows > 1 and rows * (width + row.max_tokens) > CACHED_TOKENS:
        rows //= 2
    return Shape(rows, width)


def needs_exact_width(model: Any) -> bool:
    """Return whether rows of other lengths influence a row: LongRoPE scales all by the length of the longest."""
    return "longrope" in str(getattr(model.config.get_text_config(decoder=True), "rope_parameters", None))


def decode(
    model: Any, batch: Sequence[Row], shape: Shape, ends: frozenset[int], stop: Event
) -> Iterator[tuple[int, Completion]]:
    """Continue rows of one shape and yield each one's place in `batch` and completion when it is done.

    model: a causal language model of transformers. batch: at most `shape.rows` rows; the rest of the batch is filled
    with repeats. ends: the token ids that end a text. stop: ends the batch after the current token when it is set.
    """
    rows = [batch[i % len(batch)] for i in range(shape.rows)]
    unfinished: dict[int, list[int]] = {i: [] for i in range(len(batch))}
    for chosen in _steps(model, rows, shape.width):
        for i, tokens in list(unfinished.items()):
            if chosen[i] in ends:
                yield i, Completion(unfinished.pop(i), "stop")
                continue
            tokens.append(chosen[i])
            if len(tokens) == rows[i].max_tokens:
                yield i, Completion(unfinished.pop(i), "length")
        if not unfinished or stop.is_set():
            return


@torch.inference_mode()
def _steps(model: Any, rows: list[Row], width: int) -> Iterator[list[int]]:
    """Yield the next token of every row, step by step, without end; rows that are done go on as well."""
    device = model.device
    lengths = torch.tensor([len(row.prompt) for row in rows], device=device)
    last_positions = lengths + torch.tensor([row.max_tokens for row in rows], device=device) - 1
    # Any id will do for the padding, as nothing attends to it.
    ids = torch.tensor([[0] * (width - len(row.prompt)) + row.prompt for row in rows], device=device)
    columns = torch.arange(width, device=device)
    mask = (columns >= width - lengths[:, None]).long()
    positions = (columns - (width - lengths[:, None])).clamp(min=0)
    cache = _cache(model.config)
    choose = _Choice(rows, device)
    piece = max(1, PREFILL_TOKENS // len(rows))
    for start in range(0, width, piece):
        part = slice(start, start + piece)
        logits = _forward(model, ids[:, part], mask[:, : start + piece], positions[:, part], cache)
    while True:
        chosen = choose(logits)
        yield chosen.tolist()
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
        # A row that is done stays at its last position: some models have a table of positions with an end.
        positions = torch.minimum(positions[:, -1:] + 1, last_positions[:, None])
        logits = _forward(model, chosen[:, None], mask, positions, cache)


def _forward(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: DynamicCache
) -> torch.Tensor:
    """Return the float32 logits (rows, vocabulary) of the token after the last one of `ids`."""
    output = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    logits: torch.Tensor = output.logits[:, -1].float()
    return logits


class _Choice:
    """The next token of each row, from logits (rows, vocabulary)."""

    def __init__(self, rows: list[Row], device: torch.device) -> None:
        def column(values: list[float]) -> torch.Tensor:
            return torch.tensor(values, device=device)[:, None]

        self._rows, self._device = rows, device
        self._randoms = [Random(row.seed) for row in rows]
        self._penalised = any(row.repetition_penalty != 1 for row in rows)
        self._drawing = any(row.temperature > 0 for row in rows)
        self._penalties = column([row.repetition_penalty for row in rows])
        self._drawn = torch.tensor([row.temperature > 0 for row in rows], device=device)
        self._temperatures = column([row.temperature or 1.0 for row in rows])
        self._top_p = column([row.top_p for row in rows])
        self._seen: torch.Tensor | None = None

    def __call__(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the chosen token ids (rows,) and count them for the penalty."""
        if self._penalised:
            seen = self._seen_in_prompts(logits) if self._seen is None else self._seen
            logits = torch.where(
                seen, torch.where(logits > 0, logits / self._penalties, logits * self._penalties), logits
            )
        chosen = logits.argmax(-1)
        if self._drawing:
            chosen = torch.where(self._drawn, self._draw(logits), chosen)
        if self._seen is not None:
            self._seen.scatter_(1, chosen[:, None], True)
        return chosen

    def _seen_in_prompts(self, logits: torch.Tensor) -> torch.Tensor:
        self._seen = torch.zeros_like(logits, dtype=torch.bool)
        for i, row in enumerate(self._rows):
            self._seen[i, row.prompt] = True
        return self._seen

    def _draw(self, logits: torch.Tensor) -> torch.Tensor:
        """Draw from the most probable tokens whose probabilities come to top_p, by the inverse of their sum."""
        probabilities, tokens = (logits / self._temperatures).softmax(-1).sort(dim=-1, descending=True, stable=True)
        sums = probabilities.cumsum(-1, dtype=torch.float64)
        kept = sums - probabilities < self._top_p
        uniform = torch.tensor([[random.random()] for random in self._randoms], dtype=torch.float64)
        target = uniform.to(self._device) * torch.where(kept, sums, 0).amax(-1, keepdim=True)
        place = torch.minimum((sums <= target).sum(-1), kept.sum(-1) - 1)
        return tokens.gather(-1, place[:, None])[:, 0]


def _cache(config: Any) -> DynamicCache:
    """Return an empty cache for the model; its layers of full attention grow without a copy at each token."""
    cache = DynamicCache(config=config)
    cache.layers = [_GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


class _GrowingLayer(DynamicLayer):
    """Keys and values (rows, heads, tokens, head size) in buffers that grow by a quarter when they are full.

    DynamicLayer copies all of them at each token, which takes half of the time at the miniature's shape.
    """

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append keys and values and return all of them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self._buffers = [key_states[..., :0, :], value_states[..., :0, :]]
        used = self.get_seq_length()
        self.keys, self.values = (self._append(i, used, new) for i, new in enumerate((key_states, value_states)))
        return self.keys, self.values

    def _append(self, i: int, used: int, new: torch.Tensor) -> torch.Tensor:
        needed = used + new.shape[-2]
        buffer = self._buffers[i]
        if buffer.shape[-2] < needed:
            buffer = new.new_empty(*new.shape[:-2], needed + needed // 4 + 64, new.shape[-1])
            buffer[..., :used, :] = self._buffers[i][..., :used, :]
            self._buffers[i] = buffer
        buffer[..., used:needed, :] = new
        return buffer[..., :needed, :]
