"""The memory estimate against what autograd keeps, what a training really takes, and what was measured on an H200."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, LlamaConfig, PretrainedConfig, Qwen2Config

from star1.errors import UserError
from star1.params import load
from star1.training import memory as module
from star1.training.examples import Example
from star1.training.launch import Launch
from star1.training.loop import finetune
from star1.training.loss import SequenceLoss
from star1.training.memory import GIB, largest_row, memory, read_shape
from star1.training.packing import lay_out, packs, tensors
from star1.training.settings import Training
from tests.imports import ROOT

SETTINGS: Training = load(ROOT / "params.yaml").train
BFLOAT16 = SETTINGS.model_copy(update={"precision": "bfloat16"})
GPU = Launch("one-gpu", processes=1, machines=1, cpu=False, zero_stage=0, offload=False)
CPU = Launch("cpu", processes=1, machines=1, cpu=True, zero_stage=0, offload=False)
# Sizes of DeepSeek-R1-Distill-Qwen-1.5B and 7B, as their config.json gives them.
QWEN = {"model_type": "qwen2", "tie_word_embeddings": False, "num_hidden_layers": 28}
SIZES: dict[str, dict[str, Any]] = {
    "1.5B": {
        "hidden_size": 1536, "intermediate_size": 8960, "num_attention_heads": 12, "num_key_value_heads": 2,
        "vocab_size": 151936,
    },
    "7B": {
        "hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_key_value_heads": 4,
        "vocab_size": 152064,
    },
}  # fmt: skip
SMALL = [
    Qwen2Config(
        hidden_size=64, intermediate_size=160, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=100, tie_word_embeddings=True,
    ),
    LlamaConfig(
        hidden_size=64, intermediate_size=96, num_hidden_layers=6, num_attention_heads=4, num_key_value_heads=4,
        vocab_size=100, tie_word_embeddings=False,
    ),
]  # fmt: skip


def base(folder: Path, **config: Any) -> Path:
    """Write a model's config.json, and nothing else of it."""
    (folder / "config.json").write_text(json.dumps(QWEN | config))
    return folder


@pytest.mark.parametrize(("size", "parameters"), [("1.5B", 1_777_088_000), ("7B", 7_615_616_512)])
def test_sizes_are_read_without_weights(tmp_path: Path, size: str, parameters: int) -> None:
    assert read_shape(base(tmp_path, **SIZES[size])).parameters == parameters


@pytest.mark.parametrize(
    ("size", "tokens", "checkpointing", "settings", "launch", "measured", "factor"),
    [
        ("1.5B", 28, False, BFLOAT16, GPU, 87, 1.07),
        ("1.5B", 56, True, BFLOAT16, GPU, 37, 1.07),
        ("7B", 14, True, BFLOAT16, GPU, 125, 1.07),
        # Earlier loops, float32 weights under autocast; without Liger kernels as on the CPU.
        ("1.5B", 16, False, SETTINGS, CPU, 88, 1.3),
        ("1.5B", 16, False, SETTINGS, GPU, 75, 1.3),
        ("1.5B", 24, True, SETTINGS, CPU, 46, 1.3),
    ],
)
def test_peaks_measured_on_an_h200(
    tmp_path: Path, size: str, tokens: int, checkpointing: bool, settings: Training, launch: Launch,
    measured: float, factor: float,
) -> None:  # fmt: skip
    settings = settings.model_copy(update={"gradient_checkpointing": checkpointing})
    found = memory(read_shape(base(tmp_path, **SIZES[size])), launch, settings, tokens * 1024).total / GIB
    assert measured / factor < found < measured * factor


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("config", SMALL, ids=["qwen", "llama"])
def test_activations_are_what_autograd_keeps(tmp_path: Path, config: PretrainedConfig, precision: str) -> None:
    config.save_pretrained(tmp_path)
    model = SequenceLoss(
        AutoModelForCausalLM.from_config(config, dtype=getattr(torch, precision), attn_implementation="sdpa")
    )
    row = tensors([Example(ids := list(range(100)), ids)] * 8, False, torch.device("cpu"))
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        alive = model(row)
    settings = SETTINGS.model_copy(update={"precision": precision})
    found = memory(read_shape(tmp_path), CPU, settings, 800)
    assert alive and sum(kept.values()) == pytest.approx(found.activations, rel=0.05)


@pytest.mark.parametrize("config", SMALL, ids=["qwen", "llama"])
def test_operations_are_what_torch_counts(tmp_path: Path, config: PretrainedConfig) -> None:
    config.save_pretrained(tmp_path)
    model = SequenceLoss(AutoModelForCausalLM.from_config(config, attn_implementation="eager"))
    row = tensors([Example(ids := list(range(100)), ids)] * 4, False, torch.device("cpu"))
    with FlopCounterMode(display=False) as counter:
        model(row)[0].backward()
    # torch counts both halves of attention, and neither norms nor biases; a sequence's last token predicts nothing.
    vectors = 6 * 400 * sum(parameter.numel() for parameter in model.parameters() if parameter.dim() == 1)
    head = 6 * 4 * config.vocab_size * config.hidden_size
    assert counter.get_total_flops() == read_shape(tmp_path).flops(400, 2 * 4 * 100**2) - vectors - head


TRAINED = """
import json, resource, sys
from pathlib import Path
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM
from accelerate.state import AcceleratorState, GradientState
from star1.training.loop import finetune
from tests.training.test_memory import CPU, SETTINGS, Example

folder, precision, checkpointing = Path(sys.argv[1]), sys.argv[2], sys.argv[3] == "True"
update = {
    "batch": 16, "threads": 1, "micro_batch_tokens": 2400, "precision": precision,
    "gradient_checkpointing": checkpointing,
}
settings = SETTINGS.model_copy(update=update)
sizes = {"num_hidden_layers": 8, "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": False}
sizes["layer_types"] = ["full_attention"] * 8
for name, width, mlp, vocabulary in (("tiny", 16, 32, 300), ("base", 256, 1024, 4096)):
    config = Qwen2Config(hidden_size=width, intermediate_size=mlp, vocab_size=vocabulary, **sizes)
    Qwen2ForCausalLM(config).save_pretrained(folder / name)
examples = [Example(ids := list(range(300)), ids)] * 16
for name in ("tiny", "base"):  # the first one brings in the libraries
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    finetune(folder / name, examples, folder / f"{name}-out", settings, 1, CPU, folder / "checkpoints")
    AcceleratorState._reset_state()
    GradientState._reset_state()
# Not ru_maxrss: that one counts the process that started this one, too.
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(int(peak.split()[1]) * 1024 - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and sets glibc's allocator")
@pytest.mark.parametrize(("precision", "checkpointing"), [("float32", False), ("bfloat16", True)])
def test_the_peak_of_a_real_training_on_the_cpu(tmp_path: Path, precision: str, checkpointing: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", TRAINED, str(tmp_path), precision, str(checkpointing)],
        cwd=ROOT,
        # Freed memory goes back at once, so that the peak is what is alive and no more.
        env=os.environ
        | {
            "MALLOC_MMAP_THRESHOLD_": "65536",
            "MALLOC_TRIM_THRESHOLD_": "65536",
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    taken = int(done.stdout.split()[-1])
    settings = SETTINGS.model_copy(update={"precision": precision, "gradient_checkpointing": checkpointing})
    found = memory(read_shape(tmp_path / "base"), CPU, settings, 2400)
    assert taken / 1.2 < found.total < taken * 1.2


def test_what_is_sharded_is_shared_out(tmp_path: Path) -> None:
    shape = read_shape(base(tmp_path, **SIZES["7B"]))
    everything = shape.parameters

    def parts(stage: int, offload: bool, settings: Training) -> tuple[float, ...]:
        found = memory(shape, Launch("x", 8, 1, False, stage, offload), settings, 1000)
        return tuple(8 * part / everything for part in (found.weights, found.gradients, found.state, found.host))

    assert parts(0, False, BFLOAT16) == (16, 16, 96, 0)
    assert parts(0, False, SETTINGS) == (32, 32, 64, 0)
    assert parts(2, False, BFLOAT16) == (16, 2, 12, 0)
    assert parts(3, False, BFLOAT16) == (2, 2, 12, 0)
    assert parts(3, False, SETTINGS) == (4, 4, 8, 0)
    assert parts(3, True, BFLOAT16) == (2, 0, 0, 18)


@pytest.mark.parametrize("launch", [CPU, GPU, Launch("cpus", 2, 1, True, 0, False)])
def test_the_largest_row_is_the_largest_of_all_steps(launch: Launch) -> None:
    lengths = [5 + 37 * n % 90 for n in range(40)]
    order = [13 * n % 40 for n in range(32)]
    settings = BFLOAT16.model_copy(update={"batch": 8, "micro_batch_tokens": 200})
    largest = 0
    for step in range(4):
        here = [Example([0] * lengths[n], [0] * lengths[n]) for n in order[8 * step : 8 * step + 8]]
        for rows in lay_out([len(e.input_ids) for e in here], 200, launch.processes, packs(launch, settings)):
            for row in rows:
                made = tensors([here[i] for i in row], packs(launch, settings), torch.device("cpu"))
                largest = max(largest, made.input_ids.numel())
    assert largest_row(lengths, order, launch, settings, 4) == largest


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "config.json"), ("{", "JSON"), ('{"model_type": "bert"}', "language model"), ('{"model_type": "x"}', "x")],
)
def test_a_base_that_is_no_language_model_is_told_in_a_line(tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(UserError, match=said) as error:
        read_shape(tmp_path)
    assert "\n" not in str(error.value)


def test_what_cannot_fit_stops_before_weights_are_loaded(tmp_path: Path) -> None:
    # A terabyte and more for any machine; there are no weights to load.
    folder = base(tmp_path, **SIZES["7B"] | {"num_hidden_layers": 4000})
    example = Example([1, 2, 3], [1, 2, 3])
    with pytest.raises(UserError, match=r"launch cpu needs 1\d,\d{3}\.\d GiB a process") as error:
        finetune(folder, [example] * 16, tmp_path / "out", SETTINGS, 1, CPU, tmp_path / "checkpoints")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "checkpoints").exists()


class Alone:
    """What require_fit needs of an accelerator: one process on the CPU."""

    device = torch.device("cpu")
    is_main_process = True

    def gather(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor


def test_the_line_names_the_launches_that_would_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("DS_ACCELERATOR", raising=False)
    shape = read_shape(base(tmp_path, **SIZES["7B"]))
    monkeypatch.setattr(module, "available", lambda launch: 80.0 * GIB)
    with pytest.raises(UserError) as error:
        module.require_fit(Alone(), GPU, BFLOAT16, shape, 14_000, 8_000)
    said = str(error.value)
    assert "launch one-gpu needs 113.5 GiB a GPU" in said
    assert "80.0 GiB are there" in said
    assert "zero2 (26.6 GiB for each of 8), " in said
    assert "zero3 (14.2 GiB for each of 8)" in said
    assert "gpus (" not in said


def test_what_may_not_fit_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("DS_ACCELERATOR", raising=False)
    shape = read_shape(base(tmp_path, **SIZES["1.5B"]))
    monkeypatch.setattr(module, "available", lambda launch: 80.0 * GIB)
    module.require_fit(Alone(), GPU, BFLOAT16, shape, 20_000, 8_000)
    assert capsys.readouterr().err == ""
    module.require_fit(Alone(), GPU, BFLOAT16, shape, 28_000, 8_000)
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("warning: about 83.3 GiB a GPU are expected, and 80.0 GiB are there; if memory runs out, ")
    assert "set train.gradient_checkpointing, or lower train.micro_batch_tokens to 26,000, or choose another" in said
    assert memory(shape, GPU, BFLOAT16, 26_000).total / GIB < 80 < memory(shape, GPU, BFLOAT16, 27_000).total / GIB


def test_gpus_that_are_not_there_are_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = read_shape(base(tmp_path, **SIZES["1.5B"]))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UserError, match="wants GPUs, and there is none here"):
        module.require_fit(Alone(), GPU, BFLOAT16, shape, 28_000, 8_000)
