"""`star1 estimate train`: tokens, steps and arithmetic of each run, and the device memory of each launch."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from itertools import islice
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from star1.params import load
from star1.pipeline import stale

if TYPE_CHECKING:
    from star1.params import Params
    from star1.training.launch import Launch
    from star1.training.memory import Memory, Shape
    from star1.training.settings import Run, Training

# An H200's matrix units in bfloat16, and the share of them that was measured with this loop: 50 to 60 %.
PEAK_FLOPS, SHARE = 790e12, 0.5


@dataclass(frozen=True)
class Prospect:
    """A planned run: the lengths of its sequences in tokens, the number of truncated ones, and its steps."""

    lengths: list[int]
    truncated: int
    steps: int


def report(root: Path) -> str:
    """Return the tables of each base that runs train on; a line says what is missing where a base is not built."""
    params = load(root / "params.yaml")
    bases, outdated = dict.fromkeys(run.base for run in params.runs.values()), stale.outdated(root)
    return "\n\n".join(_of_base(root, base, params, outdated) for base in bases)


def _of_base(root: Path, base: str, params: "Params", outdated: Callable[[str], list[str]]) -> str:
    from star1.training.memory import read_shape
    from star1.training.settings import training_settings

    folder = root / "models" / base
    if not (folder / "config.json").exists():
        return (
            f"Neither tokens nor memory are known before models/{base} is there: `dvc repro base@{base}` builds it, "
            f"`dvc pull models/{base}` fetches it."
        )
    if changed := outdated(f"models/{base}"):
        return (
            f"Neither tokens nor memory are known: models/{base} is outdated ({stale.because(changed)}); "
            f"`dvc repro base@{base}` builds the one that params.yaml names."
        )
    shape = read_shape(folder)
    runs = {name: run for name, run in params.runs.items() if run.base == base}
    settings = {name: training_settings(params.train, run) for name, run in runs.items()}
    found = {name: prospect(root, run, settings[name], outdated) for name, run in runs.items()}
    known = {name: run for name, run in found.items() if not isinstance(run, str)}
    tables = [f"Runs on {base}:", _runs_table(found, shape, settings)]
    # Memory depends on the settings alone, which most runs share.
    for shared in dict.fromkeys(settings.values()):
        of_these = [known[name] for name in known if settings[name] == shared]
        tables += ["", _memory_table(root, of_these, shape, shared)]
    return "\n".join(tables)


def prospect(root: Path, run: "Run", settings: "Training", outdated: Callable[[str], list[str]]) -> "Prospect | str":
    """Tokenise a run's rows as the training does; where that is impossible, return the reason."""
    for path in (f"data/{run.data}.parquet", f"data/{run.steps_of}.parquet"):
        if not (root / path).exists():
            return f"not known before {path} is there: `dvc repro` builds it, `dvc pull` fetches it"
        if changed := outdated(path):
            return f"not known: {path} is outdated ({stale.because(changed)}); `dvc repro` builds it anew"
    from transformers import AutoTokenizer

    from star1.training.examples import encode_all, truncated
    from star1.training.loop import steps_for
    from star1.training.rows import count_rows, read_rows, training_rows

    rows = read_rows(root / f"data/{run.data}.parquet", run)
    if rows.empty:
        return f"data/{run.data}.parquet has no rows"
    counted = count_rows(root / f"data/{run.steps_of}.parquet", run)
    tokenizer = AutoTokenizer.from_pretrained(root / "models" / run.base)
    examples = encode_all(tokenizer, training_rows(rows, run, settings.seed), settings.max_tokens)
    return Prospect(
        lengths=[len(example.input_ids) for example in examples],
        truncated=truncated(examples)[0],
        steps=steps_for(counted, run.epochs, settings.batch),
    )


def _runs_table(runs: dict[str, "Prospect | str"], shape: "Shape", settings: "dict[str, Training]") -> str:
    from star1.training.loop import presentation_order

    lines = [
        f"{'run':20}{'rows':>8}{'mean tokens':>13}{'longest':>9}{'truncated':>11}{'steps':>7}{'petaFLOP':>12}"
        f"{'hours':>8}"
    ]
    for name, run in runs.items():
        if isinstance(run, str):
            lines.append(f"{name:20}  {run}")
            continue
        rows, of_run = len(run.lengths), settings[name]
        shown = [run.lengths[n] for n in islice(presentation_order(rows, of_run.seed), run.steps * of_run.batch)]
        flops = shape.flops(sum(shown), sum(length * length for length in shown))
        lines.append(
            f"{name:20}{rows:>8,}{sum(run.lengths) / rows:>13,.1f}{max(run.lengths):>9,}{run.truncated:>11,}"
            f"{run.steps:>7,}{flops / 1e15:>12,.3f}{flops / (SHARE * PEAK_FLOPS) / 3600:>8.2g}"
        )
    return "\n".join(
        [
            *lines,
            f"hours: of one GPU at {SHARE:.0%} of {PEAK_FLOPS / 1e12:.0f} TFLOP/s, about an H200's in bfloat16; other "
            "devices' speed is not known here.",
        ]
    )


def _memory_table(root: Path, runs: list[Prospect], shape: "Shape", settings: "Training") -> str:
    from star1.training.launch import read_launch
    from star1.training.loop import presentation_order
    from star1.training.memory import GIB, Memory, largest_row, memory

    rows = "their largest rows" if runs else f"rows of {settings.micro_batch_tokens:,} tokens, no run's being known"
    parts = [field.name for field in fields(Memory) if field.name != "host"]
    lines = [
        f"Memory at the peak in GiB a device, {shape.parameters / 1e6:,.1f} million parameters in "
        f"{settings.precision}, {rows}, gradient checkpointing {'on' if settings.gradient_checkpointing else 'off'}:",
        f"{'launch':15}{'devices':>8}" + "".join(f"{name:>12}" for name in parts) + f"{'total':>9}",
    ]
    for path in sorted((root / "configs").glob("*.yaml")):
        launch = read_launch(path)
        start = f"{launch.name:15}{launch.processes:>4} {'CPU' if launch.cpu else 'GPU'}"
        if settings.batch % launch.processes:
            lines.append(f"{start}  train.batch {settings.batch} does not divide by {launch.processes} processes")
            continue
        tokens = max(
            (
                largest_row(r.lengths, presentation_order(len(r.lengths), settings.seed), launch, settings, r.steps)
                for r in runs
            ),
            default=settings.micro_batch_tokens,
        )
        found = memory(shape, launch, settings, tokens)
        sizes = "".join(f"{getattr(found, part) / GIB:>12,.2f}" for part in parts)
        lines.append(f"{start}{sizes}{found.total / GIB:>9,.2f}  {_verdict(launch, found)}")
    return "\n".join(lines)


def _verdict(launch: "Launch", found: "Memory") -> str:
    """Say whether a launch fits this machine, or, where its GPUs are not here, which it needs."""
    import torch

    from star1.training.memory import GIB, available

    local = launch.processes // launch.machines
    on_host = f", and {ceil(found.host * local / GIB):,} GiB of each machine's memory" if launch.offload else ""
    room = available(launch)
    if room is None:
        return f"needs {ceil(found.total / GIB):,} GiB a GPU{on_host}"
    if not launch.cpu and torch.cuda.device_count() < local:
        return f"needs {local} GPUs of {ceil(found.total / GIB):,} GiB, {torch.cuda.device_count()} here{on_host}"
    if found.total > room:
        return f"does not fit: {room / GIB:,.1f} GiB are there{on_host}"
    return f"fits{on_host}"
