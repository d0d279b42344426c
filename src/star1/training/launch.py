"""The ways of launching a training: one file of configs/ each, read as `accelerate launch` reads it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml.error import YAMLError

from star1.errors import UserError
from star1.files import parse_yaml

if TYPE_CHECKING:
    from accelerate import Accelerator


WAYS = ("NO", "MULTI_CPU", "MULTI_GPU", "DEEPSPEED")


@dataclass(frozen=True)
class Launch:
    """What a file of configs/ asks for.

    zero_stage is DeepSpeed's: 0 without it, 2 shards the optimizer's state and the gradients, 3 the weights too;
    offload keeps the optimizer's state in the hosts' memory; cpu: no GPU is wanted.
    """

    name: str
    processes: int
    machines: int
    cpu: bool
    zero_stage: int
    offload: bool


def read_launch(path: Path) -> Launch:
    """Read a file of configs/. Raises UserError where it is missing or no accelerate configuration."""
    try:
        raw = parse_yaml(path.read_bytes())
        deepspeed = raw.get("deepspeed_config") or {}
        sharded = raw["distributed_type"] == "DEEPSPEED"
        if raw["distributed_type"] not in WAYS or min(int(raw["num_processes"]), int(raw["num_machines"])) < 1:
            raise ValueError(f"distributed_type one of {', '.join(WAYS)}, num_processes and num_machines from 1")
        return Launch(
            name=path.stem,
            processes=int(raw["num_processes"]),
            machines=int(raw["num_machines"]),
            # accelerate has no DeepSpeed under use_cpu; DeepSpeed's own switch is this variable.
            cpu=bool(raw["use_cpu"]) or (sharded and os.environ.get("DS_ACCELERATOR") == "cpu"),
            zero_stage=int(deepspeed["zero_stage"]) if sharded else 0,
            offload=deepspeed.get("offload_optimizer_device", "none") != "none",
        )
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml")))
        raise UserError(f"launch: there is no configs/{path.name}; there are {known}.") from None
    except (AttributeError, KeyError, TypeError, ValueError, YAMLError) as error:
        raise UserError(f"configs/{path.name} is not understood as accelerate's configuration ({error!r}).") from None


def check_world(launch: Launch, batch: int) -> None:
    """Raise UserError where the sequences of a step cannot be dealt out evenly to the processes."""
    if batch % launch.processes:
        raise UserError(
            f"train.batch {batch} does not divide by the {launch.processes} processes of launch {launch.name}; "
            "change one of them, so that every process gets as many sequences a step."
        )


def check_started(launch: Launch, accelerator: "Accelerator") -> None:
    """Raise UserError unless `accelerate` started what `launch` asks for; it falls back to others silently."""

    def describe(processes: int, sharded: bool, cpu: bool) -> str:
        return (
            f"{processes} process(es) on a {'CPU' if cpu else 'GPU'} each, {'with' if sharded else 'without'} DeepSpeed"
        )

    wanted = (launch.processes, launch.zero_stage > 0, launch.cpu)
    found = (
        accelerator.num_processes,
        accelerator.distributed_type.value == "DEEPSPEED",
        accelerator.device.type == "cpu",
    )
    if found != wanted:
        raise UserError(
            f"launch {launch.name} asks for {describe(*wanted)}, but {describe(*found)} is what is here; choose "
            f"another launch, or start it with: accelerate launch --config_file configs/{launch.name}.yaml"
        )


def assert_sharded(launch: Launch, model: Any) -> None:
    """Raise AssertionError unless the prepared model is DeepSpeed's of the stage that `launch` asks for."""
    stage = model.zero_optimization_stage() if hasattr(model, "zero_optimization_stage") else 0
    if stage != launch.zero_stage:
        raise AssertionError(f"ZeRO stage {stage} is running, not {launch.zero_stage} of launch {launch.name}")
