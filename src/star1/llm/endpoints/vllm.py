"""A model on this machine behind a vLLM server, which is started for the stage and asked row by row.

Token ids go to /v1/completions: a text would get the special tokens of its template once more.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import httpx2

from star1.errors import UserError
from star1.llm.endpoints import Passing, model_param_of, section_of
from star1.llm.endpoints.rendering import prompt_ids, reply_text
from star1.llm.endpoints.url import OF_THE_ROW
from star1.llm.endpoints.vllm_server import KEPT_S, Server, Settings, serve
from star1.llm.requests import Request

if TYPE_CHECKING:
    from star1.llm.settings import Teacher

# Each field is sent, so that no default of the server decides; a seed of None means a random one.
SAMPLING: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0, "repetition_penalty": 1.0, "seed": None}
# More that means the same in a chat and in a completion. vLLM ignores a field that it does not know.
PASSED = ("max_tokens", "top_k", "min_p", "presence_penalty", "frequency_penalty", "stop", "response_format")
SETTLED_S = 1.0


class Sending(Protocol):
    """What is read of sending.ROLE; a reply may take timeout_s seconds, the wait in the server's queue included."""

    @property
    def concurrency(self) -> int: ...

    @property
    def timeout_s(self) -> float: ...

    @property
    def vllm(self) -> Settings: ...


@asynccontextmanager
async def connect(
    role: str, teacher: "Teacher", sending: Sending
) -> AsyncIterator[Callable[[Request], Awaitable[dict[str, Any]]]]:
    """Serve teacher.model, and yield the function from a request to the reply, in a chat completion's form.

    That function returns {"error": ...} where the server refuses this very request. It raises Passing where another
    try may help, and UserError if the server has ended.
    """
    tokenizer = load_tokenizer(role, teacher.model)
    prompt_ids(tokenizer, [{"role": "user", "content": ""}])  # without a template it is no use to start a server
    context = own_context(teacher.model)
    limits = httpx2.Limits(max_connections=sending.concurrency, keepalive_expiry=KEPT_S / 2)
    async with (
        serve(role, teacher.model, sending.vllm, context) as server,
        # trust_env: a proxy of the environment is not for this machine.
        httpx2.AsyncClient(base_url=server.url, limits=limits, timeout=None, trust_env=False) as client,
    ):

        async def send(request: Request) -> dict[str, Any]:
            body = completion(request, server.name, prompt_ids(tokenizer, request.body["messages"]))
            if server.max_model_len == context:
                body = within(body, context)
            too_long = does_not_fit(body, server.max_model_len)
            return too_long or chat_completion(await _send(client, server, body, sending), tokenizer)

        yield send


def load_tokenizer(role: str, model: str) -> Any:
    """Return the tokenizer of a folder or of "owner/name@commit". Raises UserError if there is none."""
    if not Path(model).is_dir() and "@" not in model:
        raise UserError(
            f"{model_param_of(role)}: {model} is neither a folder nor owner/name@commit; name one of the two."
        )
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(**_source(model))
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())[:300]
        raise UserError(f"{model_param_of(role)}: the tokenizer of {model} cannot be read: {why}") from None


def _source(model: str) -> dict[str, Any]:
    folder = Path(model).is_dir()
    name, _, commit = (model, "", "") if folder else model.partition("@")
    return {"pretrained_model_name_or_path": name, "revision": commit or None, "local_files_only": folder}


def own_context(model: str) -> int | None:
    """Return how many tokens a model has for prompt and reply together; None where its configuration does not say.

    It does not where positions are scaled (YaRN and others): the server works that out.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(**_source(model)).get_text_config(decoder=True)
    except (OSError, ValueError):
        return None
    if "factor" in str(getattr(config, "rope_parameters", None)):
        return None
    found = getattr(config, "max_position_embeddings", None)
    return found if isinstance(found, int) else None


def within(body: dict[str, Any], context: int) -> dict[str, Any]:
    """Return the body with max_tokens no more than what the prompt leaves of the model's own context, if anything.

    As vLLM itself does, and the paper's engine. It depends on the model alone, not on how it is served.
    """
    left = context - len(body["prompt"])
    return body | {"max_tokens": min(body["max_tokens"], left)} if left > 0 else body


def completion(request: Request, name: str, ids: list[int]) -> dict[str, Any]:
    """Return the body for /v1/completions. Raises UserError at a field that the server would ignore."""
    given = {field: value for field, value in request.body.items() if field not in ("model", "messages")}
    if unknown := sorted(set(given) - {*SAMPLING, *PASSED}):
        raise UserError(
            f"{section_of(request.role)}: the vLLM endpoint does not pass {', '.join(unknown)} on; take it out."
        )
    return {"model": name, "prompt": ids, "skip_special_tokens": False, "return_token_ids": True, **SAMPLING, **given}


def does_not_fit(body: dict[str, Any], max_model_len: int) -> dict[str, Any] | None:
    """Return the refusal of a prompt that leaves less than max_tokens for the reply.

    vLLM would cut such a reply short and call it "length", as if it had been max_tokens long.
    """
    prompt, reply = len(body["prompt"]), body["max_tokens"]
    if prompt + reply <= max_model_len:
        return None
    message = f"{prompt} tokens of the prompt and max_tokens {reply} are more than max-model-len {max_model_len}"
    return _refusal(400, "context_length_exceeded", message)


async def _send(client: httpx2.AsyncClient, server: Server, body: dict[str, Any], sending: Sending) -> dict[str, Any]:
    try:
        async with asyncio.timeout(sending.timeout_s):
            answer = await client.post("/v1/completions", json=body)
        if answer.status_code in OF_THE_ROW:
            error = answer.json()["error"]
            return _refusal(answer.status_code, error["type"], error["message"])
        if answer.status_code == 200:
            return whole(answer.json())
        problem = f"the vLLM server answered {answer.status_code}: {answer.text[:200]}"
    except TimeoutError:
        problem = f"no reply within {sending.timeout_s:g} s"
    except httpx2.TransportError as error:
        problem = f"the connection to the vLLM server failed ({error!r})"
    except (ValueError, RecursionError, LookupError, TypeError):
        problem = "the vLLM server's reply was no completion"
    await asyncio.sleep(SETTLED_S)  # as long as it takes to see that the server has ended
    server.check()
    raise Passing(problem)


def _refusal(status: int, code: str, message: str) -> dict[str, Any]:
    return {"error": {"status": status, "code": code, "message": message[:1000]}}


def whole(reply: dict[str, Any]) -> dict[str, Any]:
    """Return a completion as it came. Raises LookupError or TypeError if it is none, or was broken off."""
    choice = reply["choices"][0]
    choice["text"], choice["token_ids"], reply["usage"]["completion_tokens"]
    if choice["finish_reason"] not in ("stop", "length"):
        raise LookupError(choice["finish_reason"])  # "abort": the server was ending
    return reply


def chat_completion(reply: dict[str, Any], tokenizer: Any) -> dict[str, Any]:
    """Return a completion in the form of a chat completion, its text without the end of sequence; a refusal as it is.

    The text is decoded here: the server's leaves out the bytes of a character that was cut off at the end.
    """
    if "error" in reply:
        return reply
    choice, usage = reply["choices"][0], reply["usage"]
    if isinstance(choice.get("stop_reason"), str):
        text = choice["text"]  # up to the stop string, which may begin within a token
    else:
        ids = choice["token_ids"]
        text = reply_text(tokenizer, ids[:-1] if choice["finish_reason"] == "stop" else ids)
    message = {"role": "assistant", "content": text}
    return {
        "model": reply["model"],
        "system_fingerprint": reply.get("system_fingerprint"),  # "vllm-0.32.0-..."
        "choices": [{"index": 0, "finish_reason": choice["finish_reason"], "message": message}],
        "usage": {name: usage[name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")},
    }
