"""Token ids of a conversation for a model on this machine, and the text of its reply."""

from typing import Any

from star1.training.examples import template_text


def prompt_ids(tokenizer: Any, messages: list[dict[str, str]]) -> list[int]:
    """Return the token ids of turns (role and content) up to the opening of the assistant's next turn.

    Roles are user, assistant and system. The model's own chat template is rendered to text, and the text encoded with
    one beginning-of-sequence token at most. Raises UserError if there is no template, or if it refuses the roles.
    """
    text = template_text(tokenizer, messages)
    # A tokenizer raises TypeError at a lone surrogate, which a model's reply may hold: JSON can write one.
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return ids


def reply_text(tokenizer: Any, ids: list[int]) -> str:
    """Return the text of a reply's token ids. Special tokens stay, since the tags of a thought may be among them."""
    text: str = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return text
