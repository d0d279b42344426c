"""Stage generate in a process of its own, to be killed; imported once by the fork server, so that a start is quick."""

import os
import sys
from pathlib import Path

import torch  # noqa: F401
import transformers  # noqa: F401

from stages.generate import generate
from star1.llm.endpoints import decoding
from star1.pipeline.stage import main


def run(repository: Path, model: str) -> None:
    """Run `python -m stages.generate MODEL` in the repository, in small batches: so there are moments between them."""
    os.chdir(repository)
    os.environ.pop("DVC_ROOT", None)
    decoding.ROWS = 4
    sys.argv = ["generate", model]
    main(generate)
