"""Examples as each family's template and tokenizer make them: what is asked, what is learned, what is cut."""

import copy
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from star1.errors import UserError
from star1.training.examples import (
    IGNORED,
    OPENINGS,
    Example,
    encode_all,
    prompt_text,
    response_text,
    summary,
    truncated,
)
from tests.training.families import FAMILIES, tokenizer_of

PLENTY = 1_000_000


def encode(tokenizer: Any, question: str, response: str, max_tokens: int = PLENTY) -> Example:
    (example,) = encode_all(tokenizer, [(question, response)], max_tokens)
    return example


def learned(tokenizer: Any, example: Example) -> str:
    """Return what the labels say, without the end-of-sequence token."""
    ids = [label for label in example.labels if label != IGNORED]
    assert ids[-1] == tokenizer.eos_token_id
    return tokenizer.decode(ids[:-1], skip_special_tokens=False)


@st.composite
def responses(draw: st.DrawFn) -> tuple[str, str, str]:
    """Draw a thought, an answer, and the response in one of the three forms of thought."""
    thought, answer = draw(st.text(min_size=1)), draw(st.text(min_size=1))
    forms = response_text(thought, answer), response_text("", answer), answer
    return thought, answer, draw(st.sampled_from(forms))


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=50)
@given(question=st.text(), drawn=responses(), max_tokens=st.integers(1, 60))
def test_what_every_example_is(name: str, question: str, drawn: tuple[str, str, str], max_tokens: int) -> None:
    tokenizer, (thought, answer, response) = tokenizer_of(name), drawn
    opening = next((some for some in OPENINGS if prompt_text(tokenizer, "").endswith(some)), "")
    if not response.startswith(opening):
        with pytest.raises(UserError, match=r"opens a thought, and the response of row 1 has none"):
            encode(tokenizer, question, response)
        return
    whole = encode(tokenizer, question, response)

    # One beginning, where the family has one, and nothing before it.
    beginnings = [place for place, token in enumerate(whole.input_ids) if token == tokenizer.bos_token_id]
    assert beginnings == ([0] if tokenizer.bos_token else [])
    # The prompt is ignored, the response is learned, and ends once.
    prompt = whole.labels.count(IGNORED)
    assert whole.labels == [IGNORED] * prompt + whole.input_ids[prompt:]
    assert whole.input_ids[prompt:].count(tokenizer.eos_token_id) == 1
    # The prompt is the template's, whole; the response is what was to be learned, thought and all.
    assert tokenizer.decode(whole.input_ids[:prompt]) == composed(name, prompt_text(tokenizer, question))
    assert learned(tokenizer, whole) == composed(name, response.removeprefix(opening))
    if response == response_text(thought, answer):
        assert composed(name, f"{thought}\n</think>\n\n{answer}") in learned(tokenizer, whole)
    # The last tokens stay.
    cut = encode(tokenizer, question, response, max_tokens)
    assert cut.input_ids == whole.input_ids[-max_tokens:]
    assert cut.labels == whole.labels[-max_tokens:]
    assert cut.cut == len(whole.input_ids) - len(cut.input_ids)


def composed(name: str, text: str) -> str:
    return unicodedata.normalize("NFC", text) if FAMILIES[name].composes else text


@pytest.mark.parametrize("name", ["r1", "r1-opens", "r1-opens-bare"])
def test_the_thought_is_learned_though_the_template_cuts_it(name: str) -> None:
    tokenizer, response = tokenizer_of(name), response_text("Is it safe?", "No.")
    turns = [{"role": "user", "content": "How?"}, {"role": "assistant", "content": response}]
    assert "Is it safe?" not in tokenizer.apply_chat_template(turns, tokenize=False)
    example = encode(tokenizer, "How?", response)
    whole = tokenizer.decode(example.input_ids)
    assert whole.endswith("How?<|Assistant|>" + response + tokenizer.eos_token)
    assert whole.count("<think>") == 1


def test_a_turn_ends_with_the_token_at_which_a_server_stops() -> None:
    tokenizer = tokenizer_of("other")
    example = encode(tokenizer, "How?", "So.")
    assert tokenizer.decode(example.input_ids) == "<s>[user]How?<|turn|>[assistant]So.</s>"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_token_quoted_in_a_response_is_text(name: str) -> None:
    tokenizer, family = tokenizer_of(name), FAMILIES[name]
    quoted = " ".join(token for token in (family.bos, family.eos, *family.special) if token)
    example = encode(tokenizer, "How?", response_text(f"They wrote {quoted}.", f"I see {quoted}."))
    assert learned(tokenizer, example).count(quoted) == 2
    assert [label for label in example.labels if label in tokenizer.all_special_ids] == [tokenizer.eos_token_id]


def test_rows_that_were_too_long_are_counted() -> None:
    tokenizer = tokenizer_of("llama-instruct")
    rows = [("How?", "So."), ("How?" * 20, "So."), ("How?", "So." * 40)]
    examples = encode_all(tokenizer, rows, 90)
    assert truncated(examples) == (2, 1)
    tokens = sum(len(example.input_ids) for example in examples)
    assert summary(examples, 90) == (
        f"3 rows, {tokens} tokens; 2 longer than 90 tokens, of which the last ones are kept: in 1 nothing of the prompt"
    )
    assert summary(examples[:1], 90) == f"1 rows, {len(examples[0].input_ids)} tokens; 0 longer than 90 tokens"


def changed(name: str, **attributes: Any) -> Any:
    tokenizer = copy.deepcopy(tokenizer_of(name))
    for attribute, value in attributes.items():
        setattr(tokenizer, attribute, value)
    return tokenizer


def words_only() -> Any:
    """Return a tokenizer that knows three words and calls all else unknown."""
    raw = Tokenizer(models.WordLevel({"[unk]": 0, "[end]": 1, "So": 2, ".": 3}, unk_token="[unk]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[unk]", eos_token="[end]")
    tokenizer.chat_template = "{{ messages[0].content }}"
    return tokenizer


@pytest.mark.parametrize(
    ("tokenizer", "says"),
    [
        (changed("r1", chat_template=None), "no chat template"),
        (changed("r1", chat_template="{{ raise_exception('a system\nturn first') }}"), "refuses .*a system turn first"),
        (changed("r1", chat_template="{% if %}"), "refuses the turns user"),
        (changed("r1", eos_token=None), "no end-of-sequence token"),
        (words_only(), r"cannot write the response of row 2, which comes back as 'So \[unk\] \.'"),
    ],
)
def test_a_tokenizer_that_will_not_do(tokenizer: Any, says: str) -> None:
    tokenizer.name_or_path = "models/base"
    with pytest.raises(UserError, match=rf"\Amodels/base: [^\n]*{says}[^\n]*\Z"):
        encode_all(tokenizer, [("How?", "So."), ("How?", "So there.")], PLENTY)
