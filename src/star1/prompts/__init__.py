"""The prompt templates, one text file each, with $fields; params.yaml names the folder.

`repair` is always this folder's own: its text goes with the reasons that the parser of replies gives.
"""

from functools import cache
from pathlib import Path
from string import Template

from star1.errors import UserError

OWN = Path(__file__).parent
FIELDS: dict[str, tuple[str, ...]] = {
    "categorize": ("categories", "question"),
    "reason": ("policies", "question"),
    "score": ("policies", "question", "thinking", "answer"),
    "rewrite": ("categories", "question"),
    "score_benign": ("question", "thinking", "answer"),
    "refusal": ("question", "answer"),
}
"""What is filled into each template that a folder of prompts must hold."""


def check(folder: Path) -> None:
    """See that `folder` holds each template, and that each has its fields and no others.

    Raises UserError with one line for each mistake.
    """
    mistakes = []
    for name, fields in FIELDS.items():
        path = folder / f"{name}.txt"
        try:
            found = _read(path)
        except FileNotFoundError:
            mistakes.append(f"{path}: no such file; a folder of prompts holds {', '.join(FIELDS)}, each a .txt file.")
            continue
        except UnicodeDecodeError as error:
            mistakes.append(f"{path}: not UTF-8: {error}")
            continue
        mistakes += [f"{path}: {mistake}" for mistake in _mistakes(found, fields)]
    if mistakes:
        raise UserError("\n".join(mistakes))


def _mistakes(found: Template, fields: tuple[str, ...]) -> list[str]:
    if not found.is_valid():
        return ["a $ in it begins no name; write $$ where the sign itself is meant."]
    named, wanted = found.get_identifiers(), ", ".join(f"${field}" for field in fields)
    missing = [f"lacks the placeholder ${field}; it needs {wanted}." for field in fields if field not in named]
    extra = [f"has the placeholder ${name}, which nothing fills in; it needs {wanted}." for name in named]
    return missing + [line for name, line in zip(named, extra, strict=True) if name not in fields]


@cache
def _read(path: Path) -> Template:
    return Template(path.read_text(encoding="utf-8"))


def ask(name: str, folder: Path = OWN, /, **fields: str) -> list[dict[str, str]]:
    """Return the messages of a request: one user turn, the template NAME of `folder` filled in.

    Fields are put in as they are; a $ within a field is never expanded.
    """
    return [{"role": "user", "content": _read(folder / f"{name}.txt").substitute(fields).strip()}]
