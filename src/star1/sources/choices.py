"""Multiple choice: the choices of a row as lines "A. ..." below its prompt, and the letter of the right one."""

import hashlib
from string import ascii_uppercase

from star1.errors import UserError
from star1.sources.entries import BenchmarkEntry
from star1.sources.values import field, plain


def lettered(
    entry: BenchmarkEntry, key: str, record: object, name: str, prompt_id: str, prompt: str, answer: str | None
) -> tuple[str, str]:
    """Return the prompt of row `name` with its choices, and the right letter.

    `answer` is that letter, or, where its column is one of the choices, the right choice: the choices are then shuffled
    by a hash of `prompt_id`. Raises UserError for choices that cannot be graded: without a text, fewer than 2 or more
    than 26, or none that is right, or two.
    """
    choices = _choices(entry, key, record, name)
    letters = ascii_uppercase[: len(choices)]
    if entry.answer in (entry.choices or ()):
        right = (answer or "").strip()
        choices.sort(key=lambda choice: hashlib.sha256(f"{prompt_id}\n{choice}".encode("utf-8", "replace")).digest())
        answer = letters[choices.index(right)]
    elif answer is None or answer not in list(letters):
        raise UserError(f"{key}.answer: row {name} has {answer!r}, which is none of {', '.join(letters)}.")
    else:
        right = choices[letters.index(answer)]
    if choices.count(right) > 1:
        raise UserError(
            f"{key}.choices: row {name} has the right choice, {right[:60]!r}, twice, so that a right reply may count "
            "as wrong; mend the row in a copy of the file."
        )
    lines = [f"{letter}. {choice}" for letter, choice in zip(letters, choices, strict=True)]
    return "\n".join([prompt, "", *lines]), answer


def _choices(entry: BenchmarkEntry, key: str, record: object, name: str) -> list[str]:
    key = f"{key}.choices"
    found: list[str] = []
    for column in entry.choices or ():
        value = field(record, column, key, name)
        for choice in value if isinstance(value, list) else [value]:
            text = (plain(choice, column, key, name) or "").strip()
            if not text:
                raise UserError(f"{key}: row {name} has a choice without text in column {column!r}.")
            found.append(text)
    if not 2 <= len(found) <= len(ascii_uppercase):
        raise UserError(f"{key}: row {name} has {len(found)} choices; 2 to {len(ascii_uppercase)} can be lettered.")
    return found
