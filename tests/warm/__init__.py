"""Commands that start in milliseconds: `dvc`, `star1` and `python -m stages.NAME`, forks of a server with many imports.

A stage of the tiny world works for some tenths of a second and imports for up to 6, which is most of what the tests of
the pipeline took. Each command is still a process of its own, with its own arguments, environment, folder and
streams, and the code of star1 and of the stages is read from the repository it runs in: the server knows only what is
installed. What starts plainly all the same: a command whose environment differs in anything that an import might read,
and any other `python`. `make repro` runs every stage plainly.
"""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
_started: dict[str, Path] = {}
COMMANDS = ("dvc", "star1", "python")
# What is imported, by what pulls it in: 1 to 6 CPU seconds in each process without, 8 in the server.
PIPELINE = """
accelerate.commands.launch accelerate.accelerator accelerate.utils.launch
dvc.cli.parser dvc.repo.reproduce dvc.repo.experiments dvc.repo.index dvc.stage.run dvc.stage.cache dvc.parsing
dvc.dependency.param dvc.data_cloud dvc.fs dvc_s3 s3fs
jinja2 openai mlflow mlflow.store.tracking.sqlalchemy_store mlflow.tracking
numba numpy pandas pyarrow.parquet pydantic ruamel.yaml scipy.stats torch torch.distributed.tensor torch._dynamo
transformers transformers.models.auto.modeling_auto transformers.models.auto.tokenization_auto
transformers.models.bert.modeling_bert transformers.models.mistral.modeling_mistral typer
"""
TRAINING = """
accelerate.commands.launch accelerate.accelerator accelerate.utils.launch deepspeed numpy pandas pyarrow.parquet
pydantic ruamel.yaml torch torch.distributed.run torch.distributed.tensor torch._dynamo transformers
transformers.models.auto.modeling_auto transformers.models.auto.tokenization_auto
transformers.models.llama.modeling_llama transformers.models.qwen2.modeling_qwen2
"""
# An allocator of pyarrow's starts a thread, which a fork would lose.
NO_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}


def start(preloaded: str = PIPELINE, **variables: str) -> Path | None:
    """Start a server with these imports, unless it runs; return the folder with its commands.

    `variables` are set while it imports. It takes 8 CPU seconds, so it is for tests that start much, and ends with this
    process. None where commands start plainly: the system lacks descriptors of processes, or threads that can be
    counted; or there is a GPU, since CUDA, once it has been looked for, does not outlive a fork.
    """
    if not hasattr(os, "pidfd_open") or not Path("/proc/self/task").is_dir() or Path("/proc/driver/nvidia").exists():
        return None
    if preloaded not in _started:
        _started[preloaded] = _served(preloaded.split(), variables)
    return _started[preloaded]


def folders() -> list[str]:
    """Return what stands first on the path of a command: the folder with the quick ones, once there is a server."""
    return [str(_started[PIPELINE])] if PIPELINE in _started else []


def _served(modules: list[str], variables: dict[str, str]) -> Path:
    root = Path(tempfile.mkdtemp(prefix="warm-"))
    (root / "bin").mkdir()
    text = f"#!{Path(sys.executable).parent / 'python'} -IS\n{(HERE / 'client.py').read_text()}"
    for name in COMMANDS:
        (root / "bin" / name).write_text(text)
        (root / "bin" / name).chmod(0o700)
    known = _environment() | variables
    (root / "environment.json").write_text(json.dumps(known))
    server = subprocess.Popen(
        # By the name that `python` has in a shell: a gate serves those who know Python by one name.
        [str(Path(sys.executable).parent / "python"), str(HERE / "server.py"), str(root / "socket"), *modules],
        env=known | NO_THREAD,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None and server.stdout is not None

    def end() -> None:
        server.communicate()  # closes its input, at whose end it ends
        shutil.rmtree(root, ignore_errors=True)

    atexit.register(end)
    assert server.stdout.readline() == "ready\n", "the server of warm starts did not start"
    return root / "bin"


def _environment() -> dict[str, str]:
    """Return what the server's imports read: this process's environment, without what a command has of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "DVC_", "STAR1_"))}
    kept.pop("PYTHONPATH", None)
    return kept | {"PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "2000"}
