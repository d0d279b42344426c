"""The prompt of a multiple-choice question: its options as letters, shuffled by the prompt's id."""

import hashlib
from collections.abc import Sequence
from string import ascii_uppercase

LETTERS = ascii_uppercase[:10]


def shuffled(question: str, options: Sequence[str], correct_index: int, prompt_id: str) -> tuple[str, str]:
    """Return the question with its options below it, "A. ..." a line, and the letter of the right one.

    The order is that of SHA-256 over the prompt id and the option's place, so it is the same for every model, run and
    version of Python, and no option is favoured by its place in the source. Raises ValueError where there are fewer
    than 2 or more than 10 options, where one is blank, or where `correct_index` is none of them.
    """
    if not 2 <= len(options) <= len(LETTERS):
        raise ValueError(f"{len(options)} options; a choice has 2 to {len(LETTERS)}")
    if not 0 <= correct_index < len(options):
        raise ValueError(f"the right option is number {correct_index}, and there are {len(options)}")
    if not all(option.strip() for option in options):
        raise ValueError("an option is blank")
    order = sorted(range(len(options)), key=lambda place: hashlib.sha256(f"{place}\n{prompt_id}".encode()).digest())
    lines = [f"{letter}. {options[place].strip()}" for letter, place in zip(LETTERS, order, strict=False)]
    return "\n".join([question.strip(), "", *lines]), LETTERS[order.index(correct_index)]


def offers(prompt: str, letter: str) -> bool:
    """Return whether a line of the prompt is the option of that letter, as `shuffled` writes it."""
    return f"\n{letter}. " in prompt
