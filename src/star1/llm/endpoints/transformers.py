"""The endpoint that runs a model with transformers in this process, on the CPU or one GPU, batch-invariantly.

For the miniature model and for tests. It keeps a batch until its last row is done and fills it up with repeats, so
the vllm endpoint is the one for many long replies of a large model.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Protocol

import torch

from star1.errors import UserError
from star1.llm.endpoints import model_param_of, section_of
from star1.llm.endpoints.decoding import (
    CACHED_TOKENS,
    ROWS,
    Completion,
    Row,
    Shape,
    decode,
    needs_exact_width,
    shape_of,
)
from star1.llm.endpoints.rendering import prompt_ids

if TYPE_CHECKING:
    from star1.llm.requests import Request
    from star1.llm.settings import Teacher

FIELDS = {"model", "messages", "max_tokens", "temperature", "top_p", "repetition_penalty", "seed"}
QUIET_S = 0.2  # an incomplete batch starts once no request has come for so long


class Sending(Protocol):
    """What is read of the sending params. threads: how many batches are generated at once on a CPU, each on one."""

    threads: int


@dataclass
class _Job:
    """A row that waits for its batch."""

    row: Row
    shape: Shape
    done: "Future[Completion]" = field(default_factory=Future)


@asynccontextmanager
async def connect(
    role: str, teacher: "Teacher", sending: Sending
) -> AsyncIterator[Callable[["Request"], Awaitable[dict[str, Any]]]]:
    """Load the model and yield the function that sends a request and returns the chat completion.

    A prompt that leaves no room for max_tokens in the model's context is an outcome of its row: {"error": ...}. Raises
    UserError if the model cannot be loaded, has no end token, no chat template or not enough memory, or if the request
    has a field that this endpoint does not know.
    """
    model, tokenizer = _load(role, teacher.model)
    ends = _end_tokens(role, model, tokenizer)
    context = getattr(model.config.get_text_config(decoder=True), "max_position_embeddings", None)
    exact = needs_exact_width(model)
    # LongRoPE sets the model's frequencies by the batch, so two batches at once would get each other's.
    worker = _Worker(role, model, ends, 1 if exact or model.device.type == "cuda" else sending.threads)

    async def send(request: "Request") -> dict[str, Any]:
        row = _row(role, request, tokenizer)
        if context is not None and len(row.prompt) + row.max_tokens > context:
            return _too_long(len(row.prompt), row.max_tokens, context)
        completion = await worker.generate(row, shape_of(row, exact))
        # Special tokens stay, since the tags of the thought may be among them.
        text = tokenizer.decode(completion.tokens, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return _reply(request, row, completion, text)

    try:
        yield send
    finally:
        await asyncio.to_thread(worker.close)


class _Worker:
    """Threads that form batches of waiting rows and run the model, one batch each.

    Two threads with a batch each take 0.6 of one thread's time on two cores; two threads to a batch, which wait for
    each other in every product, triple the CPU time at the miniature's size.
    """

    def __init__(self, role: str, model: Any, ends: frozenset[int], threads: int) -> None:
        self._role, self._model, self._ends = role, model, ends
        self._arriving: SimpleQueue[_Job | None] = SimpleQueue()
        self._waiting: dict[Shape, list[_Job]] = {}
        self._forming = Lock()  # of a batch: held while one thread waits for rows
        self._closed = Event()
        self._threads = [Thread(target=self._run, name=f"{role} transformers", daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    async def generate(self, row: Row, shape: Shape) -> Completion:
        """Return the row's completion, or raise what went wrong in its batch."""
        job = _Job(row, shape)
        self._arriving.put(job)
        return await asyncio.wrap_future(job.done)

    def close(self) -> None:
        """Stop after the token that is being computed and wait for the threads to end."""
        self._closed.set()
        self._arriving.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        torch.set_num_threads(1)  # it holds for the thread that calls it
        while not self._closed.is_set():
            with self._forming:
                jobs = self._next_batch()
            # Drop a job whose sender was cancelled.
            jobs = [job for job in jobs if job.done.set_running_or_notify_cancel()]
            if not jobs:
                continue
            problem: Exception = RuntimeError(f"{self._role}: the endpoint was closed")
            try:
                rows = [job.row for job in jobs]
                for i, completion in decode(self._model, rows, jobs[0].shape, self._ends, self._closed):
                    jobs[i].done.set_result(completion)
            except torch.OutOfMemoryError:
                problem = _out_of_memory(self._role, jobs[0].shape)
            except Exception as error:
                problem = error
            for job in jobs:
                if not job.done.done():
                    job.done.set_exception(problem)

    def _next_batch(self) -> list[_Job]:
        """Wait for a full batch, or for the end of arrivals, and take the batch with the most rows."""
        while not self._closed.is_set():
            fullest = max(self._waiting.values(), key=len, default=[])
            full = bool(fullest) and len(fullest) >= fullest[0].shape.rows
            try:
                arrived = self._arriving.get(timeout=(0 if full else QUIET_S) if fullest else None)
            except Empty:
                shape = fullest[0].shape
                self._waiting[shape] = fullest[shape.rows :]
                return fullest[: shape.rows]
            if arrived is not None:
                self._waiting.setdefault(arrived.shape, []).append(arrived)
        return []


def _load(role: str, name: str) -> tuple[Any, Any]:
    """Return model and tokenizer of a folder, or of "owner/name@commit" on the Hub."""
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    source, at, commit = (name, "", "") if Path(name).is_dir() else name.rpartition("@")
    if not source or (at and not commit):
        raise UserError(f"{model_param_of(role)}: {name} is neither a folder nor owner/name@commit of the Hub.")
    revision = {"revision": commit} if at else {}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        # No code and no pickles from elsewhere.
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False, **revision)
        model, report = AutoModelForCausalLM.from_pretrained(
            source, dtype="auto", trust_remote_code=False, use_safetensors=True, output_loading_info=True, **revision
        )
        model = model.to(device).eval()
    except torch.OutOfMemoryError:
        raise UserError(f"{model_param_of(role)}: {name} does not fit on the GPU; name a smaller model.") from None
    except (OSError, ValueError, SafetensorError) as error:
        why = " ".join(str(error).split())[:300]
        raise UserError(f"{model_param_of(role)}: {name} cannot be loaded: {why}") from None
    if report["missing_keys"]:
        raise UserError(f"{model_param_of(role)}: {name} has no weights for {sorted(report['missing_keys'])[0]}.")
    return model, tokenizer


def _end_tokens(role: str, model: Any, tokenizer: Any) -> frozenset[int]:
    """Return the ids that end a reply: those of the generation config and the tokenizer's."""
    named = model.generation_config.eos_token_id
    ids = {*(named if isinstance(named, list) else [named]), tokenizer.eos_token_id} - {None}
    if not ids:
        raise UserError(f"{model_param_of(role)}: neither generation_config.json nor the tokenizer names an end token.")
    return frozenset(ids)


def _row(role: str, request: "Request", tokenizer: Any) -> Row:
    body = {name: value for name, value in request.body.items() if value is not None}
    unknown = sorted(set(body) - FIELDS)
    if unknown:
        raise UserError(f"{section_of(role)}: the transformers endpoint cannot do {', '.join(unknown)}; leave it out.")
    return Row(
        prompt=prompt_ids(tokenizer, body["messages"]),
        max_tokens=body["max_tokens"],
        temperature=body.get("temperature", 1.0),
        top_p=body.get("top_p", 1.0),
        repetition_penalty=body.get("repetition_penalty", 1.0),
        # Without a seed the request's own key, so that the same request gets the same text.
        seed=str(body.get("seed", request.key)),
    )


def _too_long(prompt: int, max_tokens: int, context: int) -> dict[str, Any]:
    message = f"the prompt has {prompt} tokens; with max_tokens {max_tokens} that exceeds the model's {context}"
    return {"error": {"status": 400, "code": "context_length_exceeded", "message": message}}


def _out_of_memory(role: str, shape: Shape) -> UserError:
    limit = "the benchmarks' max_tokens" if role == "model" else f"llm.{role}.max_tokens"
    return UserError(
        f"{role}: the GPU's memory is full with {shape.rows} prompts of {shape.width} tokens and their replies; lower "
        f"{limit} (below {CACHED_TOKENS // ROWS:,} it saves memory), or use the vllm endpoint."
    )


def _reply(request: "Request", row: Row, completion: Completion, text: str) -> dict[str, Any]:
    end = completion.finish_reason == "stop"  # the end token counts as generated, as with other endpoints
    return {
        "object": "chat.completion",
        "model": request.body["model"],
        "choices": [
            {
                "index": 0,
                "finish_reason": completion.finish_reason,
                "message": {"role": "assistant", "content": text},
            }
        ],
        "usage": {"prompt_tokens": len(row.prompt), "completion_tokens": len(completion.tokens) + end},
    }
