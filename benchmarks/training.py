"""Fine-tuning against the plain loop: one sequence at a time, as the paper's own training does it. Same weights, order.

Run: `python benchmarks/training.py` (a minute on a CPU: the miniature's shape and lengths, float32; on a GPU the shape
of DeepSeek-R1-Distill-Qwen-1.5B with STAR-1's lengths, bfloat16). `--size 7B --checkpointing` needs 125 GiB of a GPU
for ours alone, and the rival keeps its state in bfloat16; `--rival float32` gives it float32 weights under autocast.

Weights are random, sequences made up. Every loop runs in a process of its own. Speed is that of all steps but the
first; floating-point operations are counted as star1.training.memory.Shape.flops says, without those that gradient
checkpointing does again, and without padding: 6 a token and parameter, and causal attention. That is 9.4 GFLOP a token
for 1.5B and 42.7 for 7B, so that 790 TFLOP/s would be 84,000 and 18,500 tokens a second.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from resource import RUSAGE_SELF, getpagesize, getrusage
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

import torch  # noqa: E402
from transformers import AutoModelForCausalLM, Qwen2Config  # noqa: E402

from star1.params import load  # noqa: E402
from star1.training.examples import IGNORED, Example  # noqa: E402
from star1.training.launch import Launch  # noqa: E402
from star1.training.loop import finetune, presentation_order  # noqa: E402
from star1.training.memory import GIB, Shape, read_shape  # noqa: E402
from star1.training.settings import Training  # noqa: E402
from tests.training.plain import plain_loop  # noqa: E402

SIZES = {
    "miniature": {
        "hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 4096, "tie_word_embeddings": True,
    },
    "1.5B": {
        "hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12,
        "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": False,
    },
    "7B": {
        "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "vocab_size": 152064, "tie_word_embeddings": False,
    },
}  # fmt: skip
# Tokens of a sequence and sequences a step: the miniature's STAR-1 on a CPU, the paper's on a GPU.
LENGTHS = {"miniature": (85, 16), "1.5B": (435, 128), "7B": (435, 128)}
BUDGETS = {"miniature": 8192, "1.5B": 28 * 1024, "7B": 14 * 1024}
PROMPT = 0.15  # share of a sequence that is the prompt, and counts for no loss


def sequences(size: str, count: int) -> list[Example]:
    """Return `count` sequences whose lengths scatter by a third around their mean, log-normally."""
    mean, draw, vocabulary = LENGTHS[size][0], random.Random(0), SIZES[size]["vocab_size"]
    made = []
    for _ in range(count):
        length = min(8192, max(8, round(mean * draw.lognormvariate(-0.05, 0.32))))
        ids = [draw.randrange(vocabulary) for _ in range(length)]
        prompt = round(PROMPT * length)
        made.append(Example(ids, [IGNORED] * prompt + ids[prompt:]))
    return made


class Clock:
    """Looks at wall clock, CPU clock and loss at the end of every step."""

    def __init__(self, device: str) -> None:
        self.device, self.looks = device, []
        self.resident = int(Path("/proc/self/statm").read_text().split()[1]) * getpagesize()

    def look(self, loss: float) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()
        self.looks.append((time.perf_counter(), time.process_time(), loss))

    def result(self) -> dict[str, Any]:
        """Return the seconds of all steps but the first, the peak of memory above what libraries take, the losses."""
        (wall, cpu, _), (wall_end, cpu_end, _) = self.looks[0], self.looks[-1]
        peak = getrusage(RUSAGE_SELF).ru_maxrss * 1024 - self.resident
        if self.device == "cuda":
            peak = torch.cuda.max_memory_allocated()
        losses = [loss for *_, loss in self.looks]
        return {"wall": wall_end - wall, "cpu": cpu_end - cpu, "gib": peak / GIB, "losses": losses}


def child(args: argparse.Namespace, folder: Path, settings: Training, examples: list[Example]) -> dict[str, Any]:
    """Run one loop, or make the model, in this process."""
    torch.set_num_threads(args.threads)
    if args.child == "make":
        torch.manual_seed(0)
        with torch.device(args.device):
            model = AutoModelForCausalLM.from_config(
                Qwen2Config(**SIZES[args.size]), dtype=getattr(torch, args.precision)
            )
        model.save_pretrained(folder / "base")
        return {}
    clock = Clock(args.device)
    if args.child == "plain":
        for loss in plain_loop(folder / "base", examples, settings, args.steps, args.device, args.rival):
            clock.look(loss)
    else:
        launch = Launch("benchmark", 1, 1, cpu=args.device == "cpu", zero_stage=0, offload=False)
        places = (folder / "out", settings, args.steps, launch, folder / "checkpoints")
        finetune(folder / "base", examples, *places, log=lambda point, speed: clock.look(point.loss))
    return clock.result()


def in_own_process(args: argparse.Namespace, folder: Path, name: str) -> dict[str, Any]:
    """Run this file for one loop; return what it measured."""
    command = [sys.executable, __file__, *sys.argv[1:], "--child", name, "--folder", str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def compare(args: argparse.Namespace, shape: Shape, shown: list[int], found: dict[str, dict[str, Any]]) -> None:
    """Print both loops; `shown` are the lengths of the sequences of all steps but the first."""
    flops = shape.flops(sum(shown), sum(length * length for length in shown))
    for name, run in found.items():
        share = f", {flops / run['wall'] / args.peak / 1e10:.1f} % of {args.peak:.0f} TFLOP/s" if args.peak else ""
        print(
            f"  {name:6}{sum(shown) / run['wall']:>9,.0f} tokens/s{run['cpu']:>8.2f} CPU s{run['gib']:>8.2f} GiB"
            f"{flops / run['wall'] / 1e9:>9,.1f} GFLOP/s{share}"
        )
    plain, ours = found["plain"], found["ours"]
    apart = max(abs(a - b) for a, b in zip(plain["losses"], ours["losses"], strict=True))
    print(
        f"  {plain['wall'] / ours['wall']:.2f} times as fast, {plain['cpu'] / ours['cpu']:.2f} times in CPU seconds; "
        f"losses at most {apart:.1e} apart",
        flush=True,
    )


def main() -> None:
    """Compare the loops `--runs` times."""
    cuda = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cuda" if cuda else "cpu")
    parser.add_argument("--size", choices=list(SIZES), default="1.5B" if cuda else "miniature")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="bfloat16" if cuda else "float32")
    parser.add_argument("--rival", choices=["float32", "bfloat16"], help="the plain loop's weights; as --precision")
    parser.add_argument("--checkpointing", action="store_true", help="gradient checkpointing, in both loops")
    parser.add_argument("--micro-batch-tokens", type=int, help="of ours")
    parser.add_argument("--steps", type=int, default=4 if cuda else 30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1 if cuda else 3)
    parser.add_argument("--peak", type=float, default=790 if cuda else 0, help="TFLOP/s of the device; 790: an H200")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.rival = args.rival or args.precision
    batch = LENGTHS[args.size][1]
    settings = load(ROOT / "params.yaml").train.model_copy(
        update={
            "precision": args.precision, "batch": batch, "threads": args.threads, "learning_rate": 1e-5,
            "gradient_checkpointing": args.checkpointing,
            "micro_batch_tokens": args.micro_batch_tokens or BUDGETS[args.size],
        }
    )  # fmt: skip
    examples = sequences(args.size, 1000)
    if args.child:
        print(json.dumps(child(args, args.folder, settings, examples)))
        return
    order = islice(presentation_order(len(examples), settings.seed), batch, args.steps * batch)
    shown = [len(examples[number].input_ids) for number in order]
    for run in range(args.runs):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            in_own_process(args, folder, "make")
            print(f"run {run + 1}: {args.size} on {args.device}, {args.steps} steps of {batch} sequences")
            found = {loop: in_own_process(args, folder, loop) for loop in ("plain", "ours")}
            if run == 0:
                for step, losses in enumerate(zip(*(each["losses"] for each in found.values()), strict=True), 1):
                    print(f"  step {step:3}  loss {losses[0]:.6f} plain, {losses[1]:.6f} ours")
            compare(args, read_shape(folder / "base"), shown, found)


if __name__ == "__main__":
    main()
