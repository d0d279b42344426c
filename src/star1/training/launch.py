"""The ways of launching a training: one file of configs/ each, read as `accelerate launch` reads it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from star1.errors import UserError

if TYPE_CHECKING:
    from accelerate import Accelerator


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
        raw = YAML(typ="safe").load(path)
        deepspeed = raw.get("deepspeed_config") or {}
        sharded = raw["distributed_type"] == "DEEPSPEED"
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
        raise UserError(f"train.launch: there is no {path}; there are {known}.") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is no accelerate configuration that is understood here ({error!r}).") from None


def check_world(launch: Launch, batch: int) -> None:
    """Raise UserError where the sequences of a step cannot be dealt out evenly to the processes."""
    if batch % launch.processes:
        raise UserError(
            f"train.batch {batch} does not divide by the {launch.processes} processes of train.launch {launch.name}; "
            "change one of them, so that every process gets as many sequences a step."
        )


def assert_engine(launch: Launch, accelerator: "Accelerator", model: Any) -> None:
    """Raise RuntimeError unless the engine in use is the one that `launch` asks for.

    accelerate falls back silently: `use_cpu`, for one, turns a DeepSpeed launch into plain data parallelism.
    """
    from accelerate.utils import DistributedType

    stage = model.zero_optimization_stage() if accelerator.distributed_type == DistributedType.DEEPSPEED else 0
    found = (accelerator.num_processes, stage, accelerator.device.type == "cpu")
    wanted = (launch.processes, launch.zero_stage, launch.cpu)
    if found != wanted:
        raise RuntimeError(
            f"train.launch {launch.name} asks for (processes, ZeRO stage, CPU) = {wanted}, but {found} is running; "
            f"start it with: accelerate launch --config_file configs/{launch.name}.yaml"
        )
