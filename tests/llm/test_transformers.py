"""The endpoint that runs a model in this process: a row's text is its own, whatever company it is generated in."""

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from star1.errors import UserError
from star1.llm.endpoints import decoding
from star1.llm.endpoints.rendering import prompt_ids
from star1.llm.endpoints.transformers import connect
from star1.llm.requests import Request
from tests.training.families import tokenizer_of

SENDING = SimpleNamespace(threads=2)
SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.3,  # texts differ from prompt to prompt and do not end in a loop at once
    "max_position_embeddings": 256,
    "tie_word_embeddings": False,
}
WORDS = ("red", "kite", "of", "a", "snail", "under", "the", "bridge", "7", "sings")
Build = Callable[..., Path]


@pytest.fixture(autouse=True, scope="module")
def small_batches() -> Any:
    """Batches of eight on one thread: the same way through the code in a fraction of the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "ROWS", 8)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Save a random model with the tokenizer of a family; `pad`: its pad token; `ends`: of the generation config."""

    def save(family: str, pad: str | None = None, ends: Any = None) -> Path:
        tokenizer = tokenizer_of(family)
        llama = family == "llama-instruct"
        config = (LlamaConfig if llama else Qwen2Config)(vocab_size=len(tokenizer), **SHAPE)
        torch.manual_seed(5)
        model: Any = (LlamaForCausalLM if llama else Qwen2ForCausalLM)(config)
        model.generation_config.eos_token_id = tokenizer.eos_token_id if ends is None else ends
        out = tmp_path_factory.mktemp("model")
        model.save_pretrained(out)
        tokenizer.save_pretrained(out)
        if pad:
            file = out / "tokenizer_config.json"
            file.write_text(json.dumps(json.loads(file.read_text()) | {"pad_token": pad}))
        return out

    return save


@pytest.fixture(scope="module")
def model(build: Build) -> Path:
    """A model whose pad token is its end token, as in the R1 distillations."""
    return build("r1", pad=tokenizer_of("r1").eos_token)


def requests(count: int, first: int = 0, **body: Any) -> list[Request]:
    """Return requests with questions of 1 to 9 words, greedy and of at most 24 tokens unless `body` says else."""
    made = []
    for number in range(first, first + count):
        draw = random.Random(number)
        question = " ".join(draw.choice(WORDS) for _ in range(draw.randint(1, 9)))
        asked = {"model": "m", "messages": [{"role": "user", "content": f"{question} {number}"}], "max_tokens": 24}
        made.append(Request("judge", "transformers", asked | {"temperature": 0.0, "top_p": 1.0, "seed": number} | body))
    return made


def ask(model: Path | str, asked: Iterable[Request], exceptions: bool = False, sending: Any = SENDING) -> list[Any]:
    """Return the replies to requests that all wait at once; with `exceptions` also what they raised."""

    async def run() -> list[Any]:
        async with connect("judge", SimpleNamespace(model=str(model)), sending) as send:  # type: ignore[arg-type]
            return await asyncio.gather(*map(send, asked), return_exceptions=exceptions)

    return asyncio.run(run())


def texts(replies: list[Any]) -> list[str]:
    return [reply["choices"][0]["message"]["content"] for reply in replies]


def loaded(model: Path) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(model).eval(), AutoTokenizer.from_pretrained(model)


def generated(model: Path, asked: list[Request]) -> list[list[int]]:
    """Return what transformers' generate() makes of each prompt by itself, unpadded and greedy, end token included."""
    net, tokenizer = loaded(model)
    made = []
    for request in asked:
        ids = torch.tensor([prompt_ids(tokenizer, request.body["messages"])])
        output = net.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=request.body["max_tokens"],
            repetition_penalty=request.body.get("repetition_penalty", 1.0),
            pad_token_id=0,
        )
        made.append(output[0, ids.shape[1] :].tolist())
    return made


@pytest.mark.parametrize("penalty", [1.0, 1.2])
@pytest.mark.parametrize("family", ["qwen-instruct", "llama-instruct"])
def test_greedy_texts_are_those_of_generate_on_each_prompt_alone(build: Build, family: str, penalty: float) -> None:
    asked = requests(8, repetition_penalty=penalty, max_tokens=16)
    path = build(family, ends=[tokenizer_of(family).eos_token_id, 40, 41, 42])
    tokenizer, ends = tokenizer_of(family), {tokenizer_of(family).eos_token_id, 40, 41, 42}
    reasons = set()
    for reply, ids in zip(ask(path, asked), generated(path, asked), strict=True):
        stopped = ids[-1] in ends
        choice, kept = reply["choices"][0], ids[: len(ids) - stopped]
        assert choice["message"] == {"role": "assistant", "content": tokenizer.decode(kept)}
        assert choice["finish_reason"] == ("stop" if stopped else "length")
        assert reply["usage"]["completion_tokens"] == len(ids)
        reasons.add(choice["finish_reason"])
    assert reasons == {"stop", "length"}


def test_the_penalty_counts_no_padding_where_the_pad_token_is_the_end_token(build: Build) -> None:
    """Padding on the left made a batch's shorter prompts pay for stopping."""
    asked = requests(8, repetition_penalty=1.2, max_tokens=16)
    path = build("r1", pad=tokenizer_of("r1").eos_token)
    net, tokenizer = loaded(path)
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    with torch.no_grad():  # texts end soon, so that a penalty of the end token would show
        net.lm_head.weight[tokenizer.eos_token_id] *= 2.5
    net.save_pretrained(path)
    alone = generated(path, asked)
    kept = [ids[:-1] if ids[-1] == tokenizer.eos_token_id else ids for ids in alone]
    assert kept != alone
    assert texts(ask(path, asked)) == [tokenizer.decode(ids) for ids in kept]


def test_a_tokenizer_without_a_pad_token_will_do(build: Build) -> None:
    path = build("llama-instruct")
    assert loaded(path)[1].pad_token is None
    assert len(set(texts(ask(path, requests(9))))) == 9


def test_a_turn_ends_with_any_end_token_of_the_generation_config(build: Build) -> None:
    turn = tokenizer_of("other").convert_tokens_to_ids("<|turn|>")
    path = build("other", ends=[turn])
    net, _ = loaded(path)
    with torch.no_grad():  # the end of a turn is likelier than all else after some tokens
        net.lm_head.weight[turn] *= 4
    net.save_pretrained(path)
    replies = ask(path, requests(3))
    assert "stop" in {reply["choices"][0]["finish_reason"] for reply in replies}
    assert "<|turn|>" not in "".join(texts(replies))


@pytest.mark.parametrize("sampling", [{"repetition_penalty": 1.2}, {"temperature": 1.0, "top_p": 0.9}])
def test_a_text_depends_on_no_other_row(model: Path, sampling: dict[str, Any]) -> None:
    """In another order, without most, after a kill, one batch at a time, and with rows that sample in another way."""
    asked = requests(24, **({"max_tokens": 16} | sampling))
    whole = dict(zip((r.key for r in asked), texts(ask(model, asked)), strict=True))
    assert len(set(whole.values())) > 20
    shuffled = random.Random(1).sample(asked, len(asked))
    mixed = requests(12, first=100, temperature=0.7, top_p=0.5, repetition_penalty=1.1, max_tokens=20)
    for some in (shuffled, asked[::4], asked[17:], asked[3:4]):
        assert texts(ask(model, some)) == [whole[r.key] for r in some]
    assert texts(ask(model, asked, sending=SimpleNamespace(threads=1))) == [whole[r.key] for r in asked]
    together = texts(ask(model, [r for pair in zip(mixed, asked, strict=False) for r in pair]))
    assert together[1::2] == [whole[r.key] for r in asked[:12]]


@pytest.mark.parametrize("rows", [8, 32])
def test_logits_have_the_same_bits_at_any_place_and_beside_any_rows(model: Path, rows: int) -> None:
    net, _ = loaded(model)
    draw = random.Random(rows)

    def made(least: int) -> list[decoding.Row]:
        prompts = ([draw.randrange(250) for _ in range(draw.randint(least, 31))] for _ in range(rows))
        return [decoding.Row(prompt, 99, 0.0, 1.0, 1.2, "") for prompt in prompts]

    def logits(batch: list[decoding.Row]) -> torch.Tensor:
        """Return the logits (rows, steps, vocabulary) of 12 steps."""
        seen: list[torch.Tensor] = []
        with pytest.MonkeyPatch.context() as patch:
            choose = decoding._Choice.__call__
            patch.setattr(decoding._Choice, "__call__", lambda self, x: seen.append(x) or choose(self, x))
            steps = decoding._steps(net, batch, 32)
            for _ in range(12):
                next(steps)
        return torch.stack(seen, 1)

    batch, order = made(16), draw.sample(range(rows), rows)
    expected = logits(batch)
    assert torch.equal(logits([batch[i] for i in order]), expected[order])
    assert torch.equal(logits(batch[:1] + made(31)[1:])[0], expected[0])
    assert torch.equal(logits(batch[:1] * rows), expected[:1].expand(rows, -1, -1))


def test_a_seed_is_a_text(model: Path) -> None:
    first, second, third = (texts(ask(model, requests(6, temperature=1.0, seed=seed))) for seed in (3, 3, 4))
    assert first == second
    assert all(one != another for one, another in zip(first, third, strict=True))


def test_a_draw_keeps_to_the_nucleus_and_to_its_probabilities() -> None:
    probabilities = torch.tensor([0.1, 0.5, 0.05, 0.3, 0.05])
    rows = [decoding.Row([0], 1, 1.0, 0.75, 1.0, str(i)) for i in range(4000)]
    drawn = decoding._Choice(rows, torch.device("cpu"))(probabilities.log().expand(len(rows), -1))
    counts = drawn.bincount(minlength=5) / len(rows)
    assert counts[[0, 2, 4]].sum() == 0
    assert counts[1].item() == pytest.approx(0.5 / 0.8, abs=0.03)  # 4 standard errors


def test_max_tokens_is_each_row_s_own_and_the_context_is_not_exceeded(model: Path) -> None:
    short, long = requests(1, max_tokens=3)[0], requests(1, max_tokens=20)[0]
    (beyond,) = requests(1, max_tokens=256)
    replies = ask(model, [short, long, beyond])
    assert [r["usage"]["completion_tokens"] for r in replies[:2]] == [3, 20]
    assert texts(replies[:2])[1].startswith(texts(replies[:1])[0].rstrip("\ufffd"))
    assert replies[2]["error"]["status"] == 400 and replies[2]["error"]["code"] == "context_length_exceeded"


def test_long_prompts_in_pieces_and_long_rows_in_small_batches(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = requests(5, repetition_penalty=1.2, max_tokens=48)
    whole = texts(ask(model, asked))
    monkeypatch.setattr(decoding, "PREFILL_TOKENS", 8 * 7)
    assert texts(ask(model, asked)) == whole
    row = decoding.Row([1] * 20, 100, 0.0, 1.0, 1.0, "")
    assert decoding.shape_of(row, exact=False) == decoding.Shape(8, 32)
    monkeypatch.setattr(decoding, "CACHED_TOKENS", 132 * 3)  # three rows of this length
    assert decoding.shape_of(row, exact=False) == decoding.Shape(2, 32)
    assert decoding.shape_of(row, exact=True).width == 21
    assert texts(ask(model, asked)) == whole


def test_what_cannot_be_run_is_said_in_a_line(model: Path, build: Build, tmp_path: Path) -> None:
    def told(path: Path | str, **body: Any) -> str:
        with pytest.raises(UserError) as problem:
            ask(path, requests(1, **body))
        assert "\n" not in str(problem.value)
        return str(problem.value)

    assert "neither a folder nor" in told("no/such-folder")
    assert "cannot be loaded" in told(tmp_path)
    assert "cannot do stop" in told(model, stop=["x"])
    bare = build("qwen-instruct")
    (bare / "chat_template.jinja").unlink()
    assert "no chat template" in told(bare)


@pytest.mark.parametrize(
    ("raised", "awaited", "words"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), UserError, "lower llm.judge.max_tokens"),
        (IndexError("index out of range"), IndexError, "index out of range"),
    ],
)
def test_what_fails_in_the_thread_reaches_all_that_wait(
    model: Path, monkeypatch: pytest.MonkeyPatch, raised: Exception, awaited: type, words: str
) -> None:
    def fail(*_: Any) -> None:
        raise raised

    monkeypatch.setattr(decoding, "_forward", fail)
    replies = ask(model, requests(9), exceptions=True)
    assert all(isinstance(reply, awaited) and words in str(reply) for reply in replies)


def test_leaving_stops_a_generation(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forward, calls = decoding._forward, []
    monkeypatch.setattr(decoding, "_forward", lambda *all_: calls.append(time.sleep(0.02)) or forward(*all_))

    async def leave() -> None:
        async with connect("judge", SimpleNamespace(model=str(model)), SENDING) as send:  # type: ignore[arg-type]
            waiting = asyncio.gather(*map(send, requests(8, max_tokens=200, temperature=2.0)))
            while not calls:
                await asyncio.sleep(0.01)
            waiting.cancel()

    asyncio.run(leave())
    assert len(calls) < 20
