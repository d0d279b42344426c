"""From a row of text to token ids and labels: template, masking, truncation."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from star1.errors import UserError

IGNORED = -100  # the label that cross entropy skips
OPENINGS = ("<think>\n", "<think>")  # what a template may end a prompt with


@dataclass(frozen=True)
class Example:
    """One tokenised sequence; `labels` equals `input_ids` on the response and IGNORED elsewhere. Both have length T.

    `cut` is how many tokens the sequence lost at its beginning, where it was too long.
    """

    input_ids: list[int]
    labels: list[int]
    cut: int = 0


def response_text(thinking: str, answer: str) -> str:
    """Return the published form of a response: the thought in its tags, an empty line, the answer."""
    return f"<think>\n{thinking}\n</think>\n\n{answer}"


def prompt_text(tokenizer: Any, question: str) -> str:
    """Render the user's turn and the opening of the assistant's with the model's own chat template.

    As `template_text`, which renders any turns.
    """
    return template_text(tokenizer, [{"role": "user", "content": question}])


def template_text(tokenizer: Any, messages: list[dict[str, str]]) -> str:
    """Render turns (role and content) and the opening of the assistant's with the model's own chat template.

    The text begins with the beginning-of-sequence token, once, if the template writes it or the tokenizer puts it
    before every text: encode it with add_special_tokens=False. Raises UserError if there is no template, or if it
    refuses.
    """
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        raise UserError(f"{tokenizer.name_or_path}: its tokenizer has no chat template; choose a chat model.")
    try:
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    except TemplateError as error:
        turns = ", ".join(message["role"] for message in messages)
        why = " ".join(str(error).split())
        raise UserError(f"{tokenizer.name_or_path}: its chat template refuses the turns {turns}: {why}") from None
    # Llama's template writes the token and its tokenizer adds it too; others do one of the two, Qwen's neither.
    start = tokenizer.bos_token
    if start and not text.startswith(start) and tokenizer("")["input_ids"][:1] == [tokenizer.bos_token_id]:
        text = start + text
    return text


def opens_thought(tokenizer: Any) -> bool:
    """Return whether the chat template opens the thought in the prompt, as those of the R1-distilled models do."""
    return prompt_text(tokenizer, "?").endswith(OPENINGS)


def encode_all(tokenizer: Any, rows: Sequence[tuple[str, str]], max_tokens: int) -> list[Example]:
    """Tokenise (question, response) pairs in order; the loss covers the response and its end (paper, Training).

    Only the prompt goes through the chat template. The response follows verbatim, because the templates of the
    R1-distilled models cut everything before </think> out of an assistant turn and would drop the thought silently.
    Some templates open the thought in the prompt; what the prompt already says is not said again. A prompt is encoded
    as a server does it, tokens of the template that a question may quote included. Of a sequence longer than
    `max_tokens` the last tokens are kept. In errors a row's number is its place in `rows`, from 1.

    Raises:
        UserError: the tokenizer has no chat template or no end-of-sequence token, cannot write a response, or its
            template opens a thought for a response that has none.
    """
    if tokenizer.eos_token_id is None:
        raise UserError(f"{tokenizer.name_or_path}: its tokenizer has no end-of-sequence token; choose another base.")
    prompts = [prompt_text(tokenizer, question) for question, _ in rows]
    responses = [
        _continued(tokenizer, number, prompt, response)
        for number, (prompt, (_, response)) in enumerate(zip(prompts, rows, strict=True), 1)
    ]
    prompt_ids = tokenizer(prompts, add_special_tokens=False, verbose=False)["input_ids"]
    # In a response no text is control: a quoted "<|im_end|>" becomes its letters and not the end of the turn. The tags
    # of the thought are no special tokens where they are tokens, so they stay whole.
    response_ids = tokenizer(responses, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
    examples = []
    for number, (prompt, response, text) in enumerate(zip(prompt_ids, response_ids, responses, strict=True), 1):
        _check_whole(tokenizer, number, response, text)
        # The end is eos_token, whatever the template ends a turn with, and no newline after it. In the R1-distilled,
        # Qwen2.5-Instruct and Llama-3.1-Instruct models the two are one token. Elsewhere vLLM and engines.py stop at
        # eos_token for certain, at the template's own token only where generation_config names it.
        ids = [*prompt, *response, tokenizer.eos_token_id]
        labels = [IGNORED] * len(prompt) + ids[len(prompt) :]
        examples.append(Example(ids[-max_tokens:], labels[-max_tokens:], max(0, len(ids) - max_tokens)))
    return examples


def truncated(examples: Sequence[Example]) -> tuple[int, int]:
    """Return how many examples lost their beginning to the limit, and how many of these their whole prompt."""
    cut = [example for example in examples if example.cut]
    return len(cut), sum(IGNORED not in example.labels for example in cut)


def summary(examples: Sequence[Example], max_tokens: int) -> str:
    """Say in a line what the examples of a run are, and what the limit did to them."""
    too_long, without_prompt = truncated(examples)
    tokens = sum(len(example.input_ids) for example in examples)
    lost = f"{too_long:,} longer than {max_tokens:,} tokens"
    if too_long:
        lost += f", of which the last ones are kept: in {without_prompt:,} nothing of the prompt"
    return f"{len(examples):,} rows, {tokens:,} tokens; {lost}"


def _continued(tokenizer: Any, number: int, prompt: str, response: str) -> str:
    """Return the part of a response that follows a prompt which may have opened the thought."""
    for opening in OPENINGS:
        if prompt.endswith(opening):
            if not response.startswith(opening):
                raise UserError(
                    f"{tokenizer.name_or_path}: its chat template opens a thought, and the response of row {number} "
                    "has none; train with think: full or empty on this base."
                )
            return response.removeprefix(opening)
    return response


def _check_whole(tokenizer: Any, number: int, ids: list[int], text: str) -> None:
    """Raise UserError if the ids do not decode to the text: then the model would not learn what was written."""
    decoded = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    if decoded != text and _bare(decoded) != _bare(text):
        raise UserError(
            f"{tokenizer.name_or_path}: its tokenizer cannot write the response of row {number}, which comes back as "
            f"{decoded[:60]!r}; choose another base."
        )


def _bare(text: str) -> str:
    # Qwen's tokenizers compose Unicode (NFC), some of SentencePiece fold it (NFKC) and white space too.
    return "".join(unicodedata.normalize("NFKC", text).split())
