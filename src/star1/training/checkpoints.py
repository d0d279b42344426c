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

from star1.errors import UserError
from star1.files import settle
from star1.training.examples import Example

if TYPE_CHECKING:
    from star1.training.engine import Engine
    from star1.training.loop import Curve
    from star1.training.settings import Training

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
    files = (path for path in base.rglob("*") if path.is_file())
    for path in [*sorted(Path(__file__).parent.glob("*.py")), *sorted(files)]:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:32]


@contextmanager
def held(folder: Path, main: bool) -> Iterator[None]:
    """Hold a run's folder; remove it when the run has come to its end. Only the main process, of several ranks, does.

    Raises UserError where another run holds it.
    """
    if not main:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel lets go of it when the process dies
        yield
        shutil.rmtree(folder)
    except BlockingIOError:
        raise UserError("the same training is under way in another process; wait for it, or stop it.") from None
    finally:
        os.close(lock)


def save(folder: Path, engine: "Engine", curve: list["Curve"]) -> None:
    """Write a checkpoint after the last step of `curve`, then drop all but the last KEPT. All ranks call it."""
    main, wait = engine.accelerator.is_main_process, engine.accelerator.wait_for_everyone
    whole = folder / f"step-{len(curve):08}"
    partial = whole.with_suffix(".partial")
    if main:
        for unfinished in folder.glob("*.partial"):  # of a save that was killed, at this step or another
            shutil.rmtree(unfinished, ignore_errors=True)
    wait()
    engine.save_state(partial)
    if main:
        story = {"sharded_over": engine.ranks if engine.sharded else None, "curve": [asdict(point) for point in curve]}
        (partial / "curve.json").write_text(json.dumps(story))
        settle(partial)
        partial.rename(whole)
        for old in _whole(folder)[:-KEPT]:
            shutil.rmtree(old)
    wait()


def resume(folder: Path, engine: "Engine") -> list[dict[str, Any]]:
    """Bring the engine to the newest checkpoint; return the curve up to there, [] where there is none.

    Raises UserError where DeepSpeed's shards were written by another number of processes, or there are none.
    """
    found = _whole(folder)
    if not found:
        return []
    story = json.loads((found[-1] / "curve.json").read_text())
    now = engine.ranks if engine.sharded else None
    if story["sharded_over"] != now:
        before, after = (f"{n} processes of DeepSpeed" if n else "whole models" for n in (story["sharded_over"], now))
        raise UserError(
            f"this run was stopped at step {len(story['curve'])} with its state held by {before}, and cannot go on "
            f"with {after}: launch it as before, or delete {folder} to begin anew."
        )
    engine.load_state(found[-1])
    return list(story["curve"])


def _whole(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*") if not path.suffix)
