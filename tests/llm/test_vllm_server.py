"""What needs no vLLM of the vLLM endpoint: the command, faults on the wire, the supervisor; and vLLM's own parser."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import httpx2
import psutil
import pytest

from star1.errors import UserError
from star1.llm.endpoints import Passing, supervisor, vllm, vllm_server
from star1.llm.endpoints.vllm_server import Server, cause, command, environment
from star1.llm.requests import Request
from tests.llm.conftest import sending
from tests.llm.test_vllm import PYTHON, living_after, with_vllm
from tests.training.families import tokenizer_of

COMMIT = "0123456789" * 4
# Every flag that the documentation names, and those that the tests give.
FLAGS: dict[str, vllm_server.Flag] = {
    "tensor-parallel-size": 2,
    "data-parallel-size": 4,
    "max-model-len": 40960,
    "dtype": "bfloat16",
    "gpu-memory-utilization": 0.92,
    "max-num-seqs": 128,
    "max-num-batched-tokens": 8192,
    "kv-cache-memory-bytes": 2**30,
    "seed": 0,
    "enforce_eager": True,
    "enable-prefix-caching": False,
    "trust-remote-code": False,
}


def test_the_command(tmp_path: Path) -> None:
    module, config = ["-m", "vllm.entrypoints.openai.api_server", "--model"], ["--generation-config", "vllm"]
    ours = ["--host", "127.0.0.1", "--port", "8001", "--disable-uvicorn-access-log", "--no-enable-log-requests"]
    folder = command(str(tmp_path), "d" * 64, 8001, {}, "python")
    assert folder == ["python", *module, str(tmp_path), *config, "--served-model-name", "d" * 64, *ours]
    hub = command(f"a/b@{COMMIT}", "served", 8001, {"x_y": True, "z": False, "n": 2}, "p")
    pinned = ["a/b", "--revision", COMMIT, "--tokenizer-revision", COMMIT]
    assert hub == ["p", *module, *pinned, *config, "--x-y", "--no-z", "--n=2", "--served-model-name", "served", *ours]


def test_the_gpus_of_a_server_are_those_of_its_flags() -> None:
    params = sending(vllm={"python": None, "flags": {"tensor_parallel_size": 2, "data-parallel-size": 4, "x": "y"}})
    assert params.of("classifier").gpus == 8


PARSE = """
import json, sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.entrypoints.openai.completion.protocol import CompletionRequest
from vllm.utils.argparse_utils import FlexibleArgumentParser
given = vars(make_arg_parser(FlexibleArgumentParser()).parse_args(sys.argv[1:]))
print(json.dumps([{name: given[name] for name in given if isinstance(given[name], (str, int, float, bool, list))},
                  sorted(CompletionRequest.model_fields)]))
"""


@with_vllm
def test_vllm_knows_every_flag_and_every_field() -> None:
    words = command(f"a/b@{COMMIT}", "served", 8001, FLAGS, str(PYTHON))
    parsed = subprocess.run(
        [words[0], "-c", PARSE, *words[3:]], env=environment("a/b"), capture_output=True, text=True, check=True
    )
    given, fields = json.loads(parsed.stdout.splitlines()[-1])
    ours = {
        "model": "a/b", "revision": COMMIT, "tokenizer_revision": COMMIT, "served_model_name": ["served"],
        "generation_config": "vllm", "host": "127.0.0.1", "port": 8001, "disable_uvicorn_access_log": True,
        "enable_log_requests": False,
    }  # fmt: skip
    wanted = ours | {flag.replace("-", "_"): value for flag, value in FLAGS.items()}
    assert {name: given[name] for name in wanted} == wanted
    body = vllm.completion(Request("guard", "vllm", {"model": "m", "messages": [], "max_tokens": 1}), "served", [1])
    assert {*body, *vllm.PASSED} <= set(fields)


def test_a_flag_that_the_pipeline_sets_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAR1_HOME", str(tmp_path))

    async def start() -> None:
        async with vllm_server.serve(
            "guard", str(tmp_path), SimpleNamespace(python=None, flags={"served_model_name": "x"})
        ):
            pass

    with pytest.raises(UserError, match=r"\Asending\.guard\.vllm\.flags: served_model_name is set by the pipeline"):
        asyncio.run(start())


@pytest.mark.parametrize(
    ("model", "says"),
    [("models/none", "neither a folder nor owner/name@commit"), ("EMPTY", "the tokenizer of .* cannot be read")],
)
def test_a_model_that_is_none_is_told_before_a_server_starts(tmp_path: Path, model: str, says: str) -> None:
    with pytest.raises(UserError, match=rf"\Allm\.guard\.model: [^\n]*{says}[^\n]*\Z"):
        vllm.load_tokenizer("guard", model.replace("EMPTY", str(tmp_path)))


def test_a_message_about_the_model_under_evaluation_names_its_params(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\Aevaluate\.models: the tokenizer of .* cannot be read"):
        vllm.load_tokenizer("model", str(tmp_path))
    odd = Request("model", "vllm", {"model": "m", "messages": [], "max_tokens": 1, "top_q": 1})
    with pytest.raises(UserError, match=r"\Aevaluate: the vLLM endpoint does not pass top_q on"):
        vllm.completion(odd, "served", [1])


def test_the_environment_of_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_KEY", "sk-of-another-server")
    monkeypatch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    monkeypatch.setenv("DO_NOT_TRACK", "true")  # MLflow's way to say it; vLLM knows 1 alone
    variables = environment(str(tmp_path))
    assert "VLLM_API_KEY" not in variables and variables["VLLM_LOGGING_LEVEL"] == "DEBUG"
    assert variables["DO_NOT_TRACK"] == variables["HF_HUB_OFFLINE"] == "1"
    assert "HF_HUB_OFFLINE" not in environment(f"a/b@{COMMIT}")


LOGS = [
    ("usage: ...\napi_server.py: error: unrecognized arguments: --x=2\n", "api_server.py: error: unrecognized"),
    (
        "Traceback (most recent call last):\n  raise X(\npydantic_core.ValidationError: 1 validation error for A\n"
        "  Value error, too many heads\n    For further information visit a page\n",
        "pydantic_core.ValidationError: 1 validation error for A Value error, too many heads",
    ),
    (
        "(EngineCore pid=12) ERROR 11-21 17:41:23 [core.py:1510]     raise ValueError(\n"
        "(EngineCore pid=12) ERROR 11-21 17:41:23 [core.py:1510] ValueError: No available memory for the cache blocks\n"
        "RuntimeError: Engine core initialization failed. See root cause above.\n",
        "ValueError: No available memory for the cache blocks",
    ),
    (
        "(VllmWorker-0 pid=13) ERROR 11-22 01:38:47 [executor.py:953] ValueError: Available memory on node 0\n"
        "Exception: WorkerProc initialization failed due to an exception in a background process.\n",
        "ValueError: Available memory on node 0",
    ),
    ("p: Error while finding module specification for 'vllm.entrypoints.openai.api_server'\n", "p: Error while"),
    ("Loading\n\nKilled\n\n", "Killed"),
    ("", "its log is empty"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "says"), LOGS)
def test_the_cause_of_an_end(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "log").write_text(text)
    assert cause(tmp_path / "log").startswith(says)


ANSWER = {
    "model": "m",
    "choices": [{"text": "a", "token_ids": [64, 65], "finish_reason": "stop", "stop_reason": None}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
}
ABORTED = ANSWER | {"choices": [ANSWER["choices"][0] | {"finish_reason": "abort"}]}  # type: ignore[index]


@contextmanager
def answering(*answers: Any) -> Iterator[str]:
    """Run a server that gives one answer after the other: a status, a reply, a text, or None for silence."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            answer = left.pop(0)
            if answer is None:
                time.sleep(0.5)
                return  # closes the connection
            status = answer if isinstance(answer, int) else 400 if "error" in answer else 200
            body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
    assert left == []


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([ANSWER], ANSWER),
        ([{"error": {"type": "BadRequestError", "message": "no"}}], (400, "BadRequestError", "no")),
        ([500], "the vLLM server answered 500"),
        (["no JSON"], "reply was no completion"),
        ([f"[{'1' * 5000}]"], "reply was no completion"),
        (["[" * 5000], "reply was no completion"),
        ([{"choices": []}], "reply was no completion"),
        ([ABORTED], "reply was no completion"),
        ([None], "the connection to the vLLM server failed|no reply within 0.4 s"),
    ],
)
def test_faults_on_the_wire(answers: list[Any], outcome: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm, "SETTLED_S", 0.0)
    sending: Any = SimpleNamespace(timeout_s=0.4, retries=5)

    async def ask(url: str, process: subprocess.Popen[bytes]) -> Any:
        async with httpx2.AsyncClient(base_url=url, trust_env=False) as client:
            return await vllm._send(client, Server("guard", "m", url, 9, tmp_path / "log", process), {}, sending)

    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        with answering(*answers) as url:
            if isinstance(outcome, str):
                with pytest.raises(Passing, match=outcome):
                    asyncio.run(ask(url, process))
            else:
                reply = asyncio.run(ask(url, process))
                assert (tuple(reply["error"].values()) if "error" in reply else reply) == outcome
        process.kill()


def test_the_end_of_sequence_is_no_text() -> None:
    tokenizer = tokenizer_of("r1")
    ids = tokenizer("<think>\nhm é")["input_ids"][1:]
    choice = {"text": "cut", "token_ids": ids, "finish_reason": "length", "stop_reason": None}

    def text(**changes: Any) -> str:
        reply = vllm.chat_completion(ANSWER | {"choices": [choice | changes]}, tokenizer)
        return reply["choices"][0]["message"]["content"]

    assert text() == "<think>\nhm é"
    assert text(token_ids=ids[:-1]) == "<think>\nhm \ufffd"  # a character of which one byte came
    assert text(token_ids=[*ids, tokenizer.eos_token_id], finish_reason="stop") == "<think>\nhm é"
    assert text(finish_reason="stop", stop_reason="hm") == "cut"


# A server that hears no SIGTERM, with a worker in a session of its own.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
worker = "import time; print('up', flush=True); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", worker], start_new_session=True)
time.sleep(600)
"""
PARENT = "import os, subprocess, sys; subprocess.Popen([*sys.argv[1:3], str(os.getpid()), *sys.argv[3:]]).wait()"


@pytest.mark.parametrize("killed", ["parent", "child"])
def test_the_supervisor_leaves_nobody(killed: str) -> None:
    words = [sys.executable, "-c", PARENT, sys.executable, supervisor.__file__, sys.executable, "-c", STUBBORN]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == "up\n"
        family = psutil.Process(parent.pid).children(recursive=True)
        assert len(family) == 3
        os.kill(parent.pid if killed == "parent" else family[1].pid, signal.SIGKILL)
        assert living_after(5, family) == []


def test_a_supervisor_without_its_parent_stops_at_once() -> None:
    words = [sys.executable, supervisor.__file__, "1", sys.executable, "-c", "import time; time.sleep(600)"]
    assert subprocess.run(words, timeout=20, check=False).returncode == 128 + signal.SIGTERM
