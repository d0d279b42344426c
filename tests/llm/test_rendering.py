"""A conversation as token ids, with each family's template."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star1.errors import UserError
from star1.llm.endpoints.rendering import prompt_ids
from star1.training.examples import encode_all, prompt_text
from tests.training.families import FAMILIES, tokenizer_of

texts = st.text(st.characters(exclude_categories=[]))  # lone surrogates too


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=50)
@given(turns=st.lists(texts, min_size=1, max_size=5))
def test_every_conversation_has_ids_and_one_beginning(name: str, turns: list[str]) -> None:
    tokenizer = tokenizer_of(name)
    roles = ("user", "assistant")
    messages = [{"role": roles[turn % 2], "content": text} for turn, text in enumerate(turns)]
    ids = prompt_ids(tokenizer, messages)
    beginnings = [place for place, token in enumerate(ids) if token == tokenizer.bos_token_id]
    assert beginnings == ([0] if tokenizer.bos_token else [])
    # What the prompt ends with opens the assistant's turn.
    opening = prompt_text(tokenizer, "\0").split("\0")[-1]
    assert tokenizer.decode(ids, skip_special_tokens=False).endswith(opening)


@pytest.mark.parametrize("name", FAMILIES)
def test_one_turn_is_the_prompt_that_training_saw(name: str) -> None:
    tokenizer, question = tokenizer_of(name), "Why is <think> the sky blue?\n"
    (example,) = encode_all(tokenizer, [(question, "<think>\nhm\n</think>\n\nyes")], max_tokens=10_000)
    prompt = example.labels.count(-100)
    assert prompt_ids(tokenizer, [{"role": "user", "content": question}]) == example.input_ids[:prompt]


def test_a_lone_surrogate_is_replaced() -> None:
    tokenizer = tokenizer_of("qwen-instruct")
    ids = prompt_ids(tokenizer, [{"role": "user", "content": "a\ud800b \ud83d\ude00"}])
    assert "a\ufffdb \U0001f600" in tokenizer.decode(ids)


def test_a_template_that_refuses_a_role_is_told() -> None:
    from star1.bases.miniature.tokenizer import build_tokenizer

    with pytest.raises(UserError, match="refuses the turns system, user: only user and assistant turns"):
        prompt_ids(build_tokenizer(["hello"]), [{"role": "system", "content": "x"}, {"role": "user", "content": "y"}])
