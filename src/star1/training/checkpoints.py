"""Checkpoints of a training under way, so that a killed run goes on where it was.

They lie below .star1/checkpoints, in a folder named by everything that decides the result, and never become DVC
outputs. A checkpoint appears by a rename when it is whole; the last two are kept; a finished run leaves none.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelerate import Accelerator

from star1.errors import UserError
from star1.training.examples import Example

if TYPE_CHECKING:
    from star1.params import Training
    from star1.training.loop import Curve

KEPT = 2
LIBRARIES = ("torch", "transformers", "accelerate", "deepspeed")


def run_key(base: Path, examples: list[Example], settings: "Training", steps: int) -> str:
    """Return the hash of what decides a run's result: tokens, settings, the base's files, the code, the libraries.

    The way of launching is left out: a run may go on with another number of processes.
    """
    digest = hashlib.sha256()
    decides = [settings.model_dump(exclude={"launch"}), steps, [version(name) for name in LIBRARIES]]
    digest.update(json.dumps(decides, sort_keys=True).encode())
    for example in examples:
        digest.update(json.dumps([example.input_ids, example.labels]).encode())
    for path in [*sorted(Path(__file__).parent.glob("*.py")), *sorted(base.iterdir())]:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:32]


class Checkpoints:
    """The checkpoints of one run, in one folder. All ranks call `latest` and `save` together."""

    def __init__(self, folder: Path, accelerator: Accelerator) -> None:
        self.folder, self.accelerator = folder, accelerator

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder; remove it when the run has come to its end. Raises UserError where another run holds it."""
        if self.accelerator.is_main_process:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR, 0o644)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UserError("the same training is under way in another process; wait for it, or stop it.") from None
        self.accelerator.wait_for_everyone()
        yield
        if self.accelerator.is_main_process:
            shutil.rmtree(self.folder)
            os.close(lock)

    def resume(self) -> list[dict[str, Any]]:
        """Bring model and optimizer to the newest checkpoint; return the curve up to there, [] where there is none.

        Raises UserError where it was written by another number of processes and cannot be dealt out anew.
        """
        found = self._all()
        if not found:
            return []
        story = json.loads((found[-1] / "curve.json").read_text())
        ranks = self.accelerator.num_processes
        if story["sharded_over"] not in (None, ranks):
            raise UserError(
                f"a run of {story['sharded_over']} processes was stopped at step {len(story['curve'])} and cannot go "
                f"on with {ranks}: start it as before, or delete {self.folder} to begin anew."
            )
        self.accelerator.load_state(str(found[-1]))
        return story["curve"]

    def save(self, curve: list["Curve"], sharded: bool) -> None:
        """Write a checkpoint after the last step of `curve`, then drop all but the last KEPT."""
        accelerator = self.accelerator
        whole = self.folder / f"step-{len(curve):08}"
        partial = whole.with_suffix(".partial")
        if accelerator.is_main_process:
            shutil.rmtree(partial, ignore_errors=True)
        accelerator.wait_for_everyone()
        accelerator.save_state(str(partial))
        accelerator.wait_for_everyone()
        if accelerator.is_main_process:
            ranks = accelerator.num_processes if sharded else None
            story = {"sharded_over": ranks, "curve": [asdict(point) for point in curve]}
            (partial / "curve.json").write_text(json.dumps(story))
            partial.rename(whole)
            for old in self._all()[:-KEPT]:
                shutil.rmtree(old)

    def _all(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("step-*") if not path.suffix)
