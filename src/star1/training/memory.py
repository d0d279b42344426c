"""How much memory a training takes on each device, before any weights are loaded.

Bytes of weights, gradients and optimizer state follow from the code, as `memory` says, and are exact; activations are
counted tensor by tensor and are an estimate. The libraries themselves (0.5 GiB of a GPU, as much of a host for each
process) and fragmentation are not counted.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from star1.errors import UserError
from star1.training.launch import Launch, read_launch
from star1.training.loss import CHUNK
from star1.training.packing import lay_out, packs

if TYPE_CHECKING:
    from accelerate import Accelerator

    from star1.training.settings import Training

GIB = 2**30
# DeepSpeed's defaults, in elements: reduce_bucket_size and stage3_max_live_parameters (runtime/zero/config.py).
BUCKET, LIVE = 500_000_000, 1_000_000_000


@dataclass(frozen=True)
class Shape:
    """A decoder's sizes. attention and kv: heads times head size, of queries and of keys; embedding: parameters that
    are looked up and multiply nothing, 0 where the head shares them."""

    parameters: int
    embedding: int
    layers: int
    hidden: int
    attention: int
    kv: int
    mlp: int
    vocabulary: int

    def flops(self, tokens: int, squares: int) -> float:
        """Return the floating-point operations of forward and backward over sequences of `tokens` in all.

        squares: the sum of the squares of their lengths. 6 for each token and each parameter that multiplies it
        (Kaplan et al. 2020, section 2.1), and 6 for each layer, each of its attention's columns and each pair of a
        token with one before it: half of what attention without a causal mask takes (PaLM, appendix B). What gradient
        checkpointing computes twice is not counted.
        """
        return 6.0 * (self.parameters - self.embedding) * tokens + 6.0 * self.layers * self.attention * squares


@dataclass(frozen=True)
class Memory:
    """Bytes on one device at the peak of a training; `host` is what lies in the host's memory for each process."""

    weights: float
    gradients: float
    state: float
    buffers: float
    activations: float
    loss: float
    host: float

    @property
    def certain(self) -> float:
        """Return the bytes that every step needs, whatever its rows."""
        return self.weights + self.gradients + self.state

    @property
    def total(self) -> float:
        """The estimate of the device's peak."""
        return sum(getattr(self, field.name) for field in fields(self) if field.name != "host")


def read_shape(base: Path) -> Shape:
    """Read a model's sizes from `base`/config.json. Raises UserError if there is none that is understood."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig

    try:
        config = AutoConfig.from_pretrained(base)
        with torch.device("meta"):
            # By its class: AutoModelForCausalLM would shard it under ZeRO-3.
            model = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)](config)
        heads = config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // heads
        return Shape(
            parameters=sum(parameter.numel() for parameter in model.parameters()),
            embedding=0 if config.tie_word_embeddings else model.get_input_embeddings().weight.numel(),
            layers=config.num_hidden_layers,
            hidden=config.hidden_size,
            attention=heads * size,
            kv=config.num_key_value_heads * size,
            mlp=config.intermediate_size,
            vocabulary=config.vocab_size,
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{base}/config.json is of no causal language model that is understood here: {reason}"
        ) from None


def memory(shape: Shape, launch: Launch, settings: "Training", tokens: int) -> Memory:
    """Return the peak of one device whose largest row has `tokens` tokens, padding counted.

    Weights and gradients have b bytes a parameter, b = 2 in bfloat16 and 4 in float32. The state is two float32 moments
    and, where b is 2, a float32 master copy: 16 bytes a parameter in all, either way (optimizer.py). Over n processes

    - plain data parallelism has all of it on every device, and the gradients once more in the buckets that are
      averaged (torch.nn.parallel.DistributedDataParallel, gradient_as_bucket_view);
    - ZeRO-2 leaves each an n-th of gradients and state, ZeRO-3 of the weights too (Rajbhandari et al. 2020, section
      5). ZeRO-2 has a master copy in float32 too (stage_1_and_2.py: weights_partition). Beside them DeepSpeed has
      a bucket of BUCKET elements, and ZeRO-3 up to LIVE gathered parameters;
    - offload moves the n-th of gradients and state to the host, with a master copy and float32 gradients.

    Counted among the tensors alive before the second step in two processes on a CPU (10M parameters; deepspeed 0.19.8),
    weights, gradients, state and host are this, to a thousandth; ZeRO-3 had 3 to 26 of its 40 MB gathered.

    Activations are what autograd keeps for the way back, in bytes a token and layer, where a = attention, k = kv,
    m = mlp and h = hidden: the input and output of two norms, query, key, value and output of attention, and the input,
    gate and up of the MLP's product: b (4h + 2a + 2k + 3m) on a GPU, with the Liger kernels of the gpu extra. Without
    them a norm keeps its input as float32 and its normalised input too, and SiLU its output:
    8h + b (4h + 2a + 2k + 4m). With gradient checkpointing: b h a layer, and one layer whole.

    The loss has V times h float32 for the head's gradient and as many in the weights' type, and for CHUNK tokens
    float32 logits, with a copy in the weights' type if that is another (loss.py). The optimizer's step needs 8 bytes
    for each element of the largest parameter, when activations are gone; that is not counted.

    Measured on one H200 with the forerunner of this loop (torch 2.11, transformers 5.17, liger-kernel 0.8.5), against
    this, in GiB, rows as full as named:

        1.78B, bfloat16, rows of 28K                           87    84.6   -3 %
        1.78B, bfloat16, rows of 56K, checkpointing            37    38.7   +5 %
        7.6B,  bfloat16, rows of 14K, checkpointing           125   123.4   -1 %

    Earlier loops with float32 weights under autocast, which no setting brings back, and a loss that computed its logits
    twice, took 88 (rows of 16K), 75 (with Liger kernels), 74 (compiled) and 46 (rows of 24K, padded, checkpointing).
    Pure float32 as here keeps 4 bytes where autocast mostly keeps 2: 113.0, 92.3, 92.3 and 38.5, so +28, +23, +25
    and -16 %. On a CPU (torch 2.13), 10M parameters in two rows of 4,000 a step: -3 % in float32, -9 % in bfloat16, +6
    and -3 % with checkpointing, where glibc gives freed memory back (MALLOC_MMAP_THRESHOLD_=65536). As it comes it
    held on to 14 to 19 % more, and with checkpointing to twice as much.
    """
    b = 2 if settings.precision == "bfloat16" else 4
    n, everything = launch.processes, shape.parameters
    of_weights = n if launch.zero_stage == 3 else 1
    of_rest = n if launch.zero_stage >= 2 else 1
    gradients = b * everything / of_rest
    state = (12 if b == 2 or launch.zero_stage == 2 else 8) * everything / of_rest
    buffers = 0.0
    if launch.zero_stage:
        buffers += b * BUCKET
    elif n > 1:
        buffers += gradients
    if launch.zero_stage == 3:
        buffers += b * min(LIVE, everything)
    logits = 6 if b == 2 else 4
    host = 0.0
    if launch.offload:
        host = gradients + 16 * everything / of_rest
        gradients = state = 0.0
    return Memory(
        weights=b * everything / of_weights,
        gradients=gradients,
        state=state,
        buffers=buffers,
        activations=tokens * _activations(shape, b, not launch.cpu, settings.gradient_checkpointing),
        loss=shape.vocabulary * (shape.hidden * (4 + b) + min(CHUNK, tokens) * logits) + 2 * b * shape.hidden * tokens,
        host=host,
    )


def _activations(shape: Shape, b: int, liger: bool, checkpointing: bool) -> float:
    """Return the bytes a token that the layers and the last norm keep for the way back."""
    norm = (2 * b if liger else 4 + 2 * b) * shape.hidden
    layer = 2 * norm + b * (2 * shape.attention + 2 * shape.kv + (3 if liger else 4) * shape.mlp)
    return (shape.layers * b * shape.hidden + layer if checkpointing else shape.layers * layer) + norm


def largest_row(lengths: Sequence[int], order: Iterable[int], launch: Launch, settings: "Training", steps: int) -> int:
    """Return the tokens, padding counted, of the largest row in the `steps` steps of a run.

    lengths: of all rows of the data; order: their numbers as they are presented, steps * batch of them or more.
    """
    largest, packed, order = 0, packs(launch, settings), iter(order)
    for _ in range(steps):
        step = [lengths[number] for number in islice(order, settings.batch)]
        for rank in lay_out(step, settings.micro_batch_tokens, launch.processes, packed):
            for row in rank:
                here = [step[i] for i in row]
                largest = max(largest, sum(here) if packed else len(here) * max(here))
    return largest


def available(launch: Launch) -> float | None:
    """Return the bytes that one process of `launch` may have here; None where it wants GPUs and there is none.

    A GPU's whole memory, or this machine's free memory shared by its processes.
    """
    if not launch.cpu:
        devices = range(torch.cuda.device_count())
        return min((torch.cuda.get_device_properties(i).total_memory for i in devices), default=None)
    import psutil

    return psutil.virtual_memory().available * launch.machines / launch.processes


def require_fit(
    accelerator: "Accelerator", launch: Launch, settings: "Training", shape: Shape, tokens: int, longest: int
) -> None:
    """Stop a training that cannot fit its devices, and warn of one that may not. All ranks call this together.

    tokens: of the largest row; longest: of the longest sequence. Raises UserError where weights, gradients and
    optimizer state alone are more than the smallest device has, or where there is no GPU for a launch that wants one.
    """
    here = torch.tensor([available(launch) or 0.0], dtype=torch.float64, device=accelerator.device)
    room = accelerator.gather(here).min().item()
    if not room:
        raise UserError(f"launch {launch.name} wants GPUs, and there is none here; launch cpu wants none.")
    needed = memory(shape, launch, settings, tokens)
    device = "process" if launch.cpu else "GPU"
    if needed.certain > room:
        others = [
            f"{other.name} ({_gib(there.certain)} GiB for each of {other.processes})"
            for other in _others(launch)
            if (there := memory(shape, other, settings, tokens)).certain < room
        ]
        way = f"choose another launch: {', '.join(others)}; or" if others else "no other launch fits;"
        raise UserError(
            f"launch {launch.name} needs {_gib(needed.certain)} GiB a {device} for weights, gradients and "
            f"optimizer state alone, and {_gib(room)} GiB are there; {way} choose a smaller base model."
        )
    if needed.total > room and accelerator.is_main_process:
        ways = _ways(shape, launch, settings, tokens, longest, room) or ["choose a smaller base model"]
        print(
            f"warning: about {_gib(needed.total)} GiB a {device} are expected, and {_gib(room)} GiB are there; "
            f"if memory runs out, {', or '.join(ways)}.",
            file=sys.stderr,
        )


def _ways(shape: Shape, launch: Launch, settings: "Training", tokens: int, longest: int, room: float) -> list[str]:
    """Return changes of params each of which alone makes a training fit."""
    ways = []
    checkpointing = settings.model_copy(update={"gradient_checkpointing": True})
    if memory(shape, launch, checkpointing, tokens).total < room:
        ways.append("set train.gradient_checkpointing")
    budgets = [*range(tokens // 1000 * 1000, longest, -1000), longest]  # a row holds a sequence at least
    fitting = next((n for n in budgets if memory(shape, launch, settings, n).total < room), None)
    if fitting is not None:
        ways.append(f"lower train.micro_batch_tokens to {fitting:,}")
    fitting_launches = [o.name for o in _others(launch) if memory(shape, o, settings, tokens).total < room]
    if fitting_launches:
        ways.append(f"choose another launch: {', '.join(fitting_launches)}")
    return ways


def _others(launch: Launch) -> list[Launch]:
    """Return the other ways of launching on GPUs; on a CPU all processes share the one memory, and none takes less."""
    known = [] if launch.cpu else [read_launch(path) for path in sorted(Path("configs").glob("*.yaml"))]
    return [other for other in known if not other.cpu and other.name != launch.name]


def _gib(size: float) -> str:
    return f"{size / GIB:,.1f}"
