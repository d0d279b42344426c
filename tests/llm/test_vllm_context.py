"""How many tokens a served model has room for: its own context, the flag max-model-len, and what a request asks for."""

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from transformers import LlamaConfig, Qwen2Config

from star1.llm.endpoints.vllm import connect, own_context
from star1.llm.requests import Request
from tests.training.families import tokenizer_of

OWN = 64
SERVER = """#!{python}
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lengths = [int(word.split("=")[1]) for word in sys.argv if word.startswith("--max-model-len=")]
length = lengths[0] if lengths else {own}
if length > {own}:
    sys.exit(f"ValueError: User-specified max_model_len ({{length}}) is greater than the derived max_model_len")

class Handler(BaseHTTPRequestHandler):
    def answer(self, reply):
        body = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer({{"data": [{{"max_model_len": length}}]}})

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        choice = {{"text": "", "token_ids": [5], "finish_reason": "length"}}
        counts = {{"prompt_tokens": len(asked["prompt"]), "completion_tokens": asked["max_tokens"], "total_tokens": 0}}
        self.answer({{"model": "m", "choices": [choice], "usage": counts}})

    def log_message(self, *words): ...

ThreadingHTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a tokenizer and the configuration of a model for 64 tokens."""
    monkeypatch.setenv("STAR1_HOME", str(tmp_path / "home"))
    tokenizer_of("qwen-instruct").save_pretrained(tmp_path / "model")
    Qwen2Config(max_position_embeddings=OWN).save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def reply(model: Path, flags: dict[str, Any], text: str, max_tokens: int) -> dict[str, Any]:
    """Ask a stand-in for vLLM's server, which serves a model for no more tokens than its own."""
    python = model.parent / "python"
    python.write_text(SERVER.format(python=sys.executable, own=OWN))
    python.chmod(0o755)
    sending = SimpleNamespace(concurrency=1, timeout_s=5.0, vllm=SimpleNamespace(python=str(python), flags=flags))
    body = {"model": "m", "messages": [{"role": "user", "content": text}], "max_tokens": max_tokens}

    async def ask() -> dict[str, Any]:
        async with connect("model", SimpleNamespace(model=str(model)), sending) as send:  # type: ignore[arg-type]
            return await send(Request("model", "vllm", body))

    return asyncio.run(ask())


@pytest.mark.parametrize("flags", [{}, {"max-model-len": 80}, {"max_model_len": OWN}])
def test_a_reply_has_what_the_prompt_leaves_of_the_model_s_own_context(model: Path, flags: dict[str, int]) -> None:
    """As in the paper's engine: Qwen2.5-Instruct has 32,768 tokens for both, and GPQA asks for replies of 32,768."""
    usage = reply(model, flags, "Why?", OWN)["usage"]
    assert usage["prompt_tokens"] > 0
    assert usage["completion_tokens"] == OWN - usage["prompt_tokens"]
    assert reply(model, flags, "Why?", 5)["usage"]["completion_tokens"] == 5
    assert reply(model, flags, "why " * 80, 5)["error"]["code"] == "context_length_exceeded"


def test_a_flag_below_the_model_s_own_context_shortens_no_reply(model: Path) -> None:
    """Sending decides no result: with another flag the reply would be another."""
    refused = reply(model, {"max-model-len": OWN - 1}, "Why?", OWN - 1)["error"]
    assert refused["message"].endswith(f"max_tokens {OWN - 1} are more than max-model-len {OWN - 1}")


def test_the_context_of_models(model: Path, tmp_path: Path) -> None:
    assert own_context(str(model)) == OWN
    scaled = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
    LlamaConfig(max_position_embeddings=128, rope_parameters=scaled).save_pretrained(tmp_path)
    assert own_context(str(tmp_path)) is None, "the server works it out"
    (tmp_path / "config.json").write_text('{"model_type": "of tomorrow"}')
    assert own_context(str(tmp_path)) is None
