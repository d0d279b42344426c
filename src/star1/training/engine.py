"""The engine under the loop: plain or data-parallel with MasterAdamW, or DeepSpeed's ZeRO-2 and ZeRO-3.

What the loop does with either is the same: backward over each row, one step, save.
"""

import os
import shutil
import warnings
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate import Accelerator, InitProcessGroupKwargs
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM
from transformers.utils.import_utils import is_liger_kernel_available

from star1.errors import UserError
from star1.files import settle
from star1.training.attention import PACKED
from star1.training.launch import Launch, assert_sharded, check_started
from star1.training.loss import SequenceLoss
from star1.training.optimizer import BETAS, MasterAdamW
from star1.training.packing import Row, packs

if TYPE_CHECKING:
    from star1.training.settings import Training

# The kernels beside the loss, which is our own.
LIGER = {"rope": True, "rms_norm": True, "swiglu": True, "cross_entropy": False, "fused_linear_cross_entropy": False}
# Files of a model's folder beside its weights and config.json, the chat template among them; copied unchanged.
BESIDE = ("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "chat_template*",
          "generation_config.json")  # fmt: skip


def accelerator_for(launch: Launch, settings: "Training") -> Accelerator:
    """Return the accelerator of this process. bf16 is an option of DeepSpeed only; else weights are loaded in it."""
    mixed = "bf16" if launch.zero_stage and settings.precision == "bfloat16" else "no"
    handlers = [InitProcessGroupKwargs(backend="gloo")] if launch.cpu and launch.processes > 1 else []
    accelerator = Accelerator(cpu=launch.cpu and not launch.zero_stage, mixed_precision=mixed, kwargs_handlers=handlers)
    check_started(launch, accelerator)
    if plugin := accelerator.state.deepspeed_plugin:
        # DeepSpeed 0.19 calls what torch 2.13 has renamed: two lines of warning at every collective.
        warnings.filterwarnings("ignore", "`torch.distributed.*deprecated", FutureWarning)
        # Rows are ours to lay out, so DeepSpeed's count of sequences a forward pass is a formality.
        plugin.deepspeed_config |= {"train_micro_batch_size_per_gpu": 1, "gradient_clipping": settings.clip}
        # torch's AdamW on the CPU too: DeepSpeed's own has to be compiled on the machine first.
        plugin.deepspeed_config["zero_force_ds_cpu_optimizer"] = False
    if accelerator.device.type == "cpu":
        os.environ.setdefault("DS_ACCELERATOR", "cpu")  # or importing DeepSpeed warns that it found no GPU
        torch.set_num_threads(settings.threads)
    return accelerator


class Engine:
    """A model in training. `packed` says how rows are laid out for it, `ranks` over how many processes."""

    def __init__(self, accelerator: Accelerator, launch: Launch, base: Path, settings: "Training") -> None:
        self.accelerator, self.base = accelerator, base
        self.ranks, self.rank = accelerator.num_processes, accelerator.process_index
        self.sharded = launch.zero_stage > 0
        self.packed = packs(launch, settings)
        model = load(base, settings, self.packed, accelerator.device)
        losses = self.losses = SequenceLoss(model)
        optimizer: torch.optim.Optimizer
        if self.sharded:
            optimizer = torch.optim.AdamW(
                losses.parameters(), lr=0.0, betas=BETAS, weight_decay=settings.weight_decay, fused=True
            )
        else:
            losses.to(accelerator.device)
            optimizer = MasterAdamW(losses.parameters(), settings.weight_decay, settings.clip)
        self.model, self.optimizer = accelerator.prepare(losses, optimizer)
        self.model.train()
        assert_sharded(launch, self.model)

    def backward(self, row: Row, scale: float, last: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Add the gradient of `scale` times the row's summed loss; `last` says that the step's gradient is then whole.

        Returns the mean loss and the token accuracy of each sequence of the row.
        """
        if self.sharded:
            self.model.set_gradient_accumulation_boundary(last)
            loss, losses, accuracies, _ = self.model(row)
            self.model.backward(loss * scale)
            return losses, accuracies
        # Gradients are averaged over ranks in the last backward pass only.
        with self.accelerator.no_sync(self.model) if not last else nullcontext():
            loss, losses, accuracies, _ = self.model(row)
            self.accelerator.backward(loss * scale)
        return losses, accuracies

    def step(self, rate: float) -> float:
        """Take one clipped step at learning rate `rate`; return the norm of the gradient before clipping."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self.sharded:
            self.model.step()
            return float(self.model.get_global_grad_norm())
        self.optimizer.step()
        self.optimizer.zero_grad()
        return float(self.optimizer.optimizer.gradient_norm)

    def save_state(self, folder: Path) -> None:
        """Write all that the next step depends on: the weights, and the optimizer's state. All ranks call it."""
        if self.sharded:
            self.model.save_checkpoint(str(folder))
        elif self.accelerator.is_main_process:
            folder.mkdir()
            state = {"model": self.losses.model.state_dict(), "optimizer": self.optimizer.state_dict()}
            try:
                torch.save(state, folder / "state.pt")
            except (OSError, RuntimeError) as error:  # torch's own error, where the disk is full
                shutil.rmtree(folder, ignore_errors=True)
                raise UserError(
                    f"{folder.parent}: a checkpoint cannot be written ({str(error).splitlines()[0]}); make room for "
                    "three of them and run again: the training goes on from the last whole one."
                ) from None
        self.accelerator.wait_for_everyone()

    def load_state(self, folder: Path) -> None:
        """Read what `save_state` wrote."""
        if self.sharded:
            self.model.load_checkpoint(str(folder))
            return
        state = torch.load(folder / "state.pt", map_location="cpu", weights_only=True, mmap=True)
        self.losses.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])

    def save(self, out: Path) -> None:
        """Write weights, config and the base's own tokenizer files to `out`, which appears whole or not at all."""
        # ZeRO-3 gathers the weights from all ranks, so all of them have to ask.
        state = self.accelerator.get_state_dict(self.model) if self.sharded else self.losses.state_dict()
        if self.accelerator.is_main_process:
            model = self.losses.plain()
            weights = {name.removeprefix("model."): value for name, value in state.items()}
            partial = out.with_name(f".{out.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            model.save_pretrained(partial, state_dict=weights)
            for pattern in BESIDE:
                for file in filter(Path.is_file, self.base.glob(pattern)):
                    shutil.copy(file, partial / file.name)
            settle(partial)
            shutil.rmtree(out, ignore_errors=True)
            partial.rename(out)
        self.accelerator.wait_for_everyone()


def load(base: Path, settings: "Training", packed: bool, device: torch.device) -> Any:
    """Return the base model, ready for training. Raises UserError where its files are no whole model."""
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            base,
            dtype=getattr(torch, settings.precision),
            attn_implementation=PACKED if packed else "sdpa",
            output_loading_info=True,
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise UserError(f"{base}: no whole model ({str(error).splitlines()[0]}); fetch or copy it again.") from None
    # transformers would draw these at random, with a warning.
    if absent := sorted(report["missing_keys"]):
        raise UserError(f"{base}: {len(absent)} weights are missing, such as {absent[0]}; fetch or copy it again.")
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if device.type == "cuda" and is_liger_kernel_available():
        from transformers.integrations.liger import apply_liger_kernel

        apply_liger_kernel(model, LIGER)
    return model
