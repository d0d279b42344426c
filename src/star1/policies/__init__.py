"""The safety policies: one text file each, in a folder that params.yaml names.

A policy file reads:

    # TITLE

    Definition: what falls under the category, for the classifier.

    Objective: what the policy is for.

    ## Rule 1: NAME
    When to refuse, when to give a safe completion, when to redirect.

The title is the category's name. Rules are numbered from 1; their text may have any lines but headings.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from star1.criteria import OTHER
from star1.errors import UserError

TITLE = re.compile(r'[^"<>|:#\n]+')  # it stands in tags, in lists parted by "|" and before a colon
HEADING = re.compile(r"^## *(.*)$", re.MULTILINE)
RULE = re.compile(r"Rule (\d+): *(\S.*)")


@dataclass(frozen=True)
class Policy:
    """One category's policy. `text` is what teachers see of it: objective and rules, with their headings."""

    title: str
    definition: str
    text: str


def read(folder: Path) -> dict[str, Policy]:
    """Return the policies of the files FOLDER/*.txt by their titles, in the order of the files' names.

    Raises UserError with one line for each mistake: no file, a title that is missing, not allowed or used twice, no
    definition, no objective, no rules, rules that are not named and numbered from 1, or empty ones.
    """
    mistakes: list[str] = []
    found: dict[str, Policy] = {}
    files = sorted(folder.glob("*.txt"))
    if not files:
        raise UserError(f"{folder} holds no policy; put one there for each category, as a .txt file.")
    for file in files:
        try:
            policy = parse(file.read_text(encoding="utf-8"))
        except (ValueError, UnicodeDecodeError) as mistake:
            mistakes.append(f"{file}: {mistake}")
            continue
        if policy.title in found:
            mistakes.append(f"{file}: its title {policy.title!r} is that of another policy, too; one has to go.")
        found[policy.title] = policy
    if mistakes:
        raise UserError("\n".join(mistakes))
    return found


def parse(text: str) -> Policy:
    """Return the policy that a file's text holds. Raises ValueError with the first mistake in it."""
    head, *sections = HEADING.split(text.replace("\r\n", "\n"))
    first, _, rest = head.lstrip("\ufeff").strip().partition("\n")
    title = first.removeprefix("# ").strip()
    if not first.startswith("# ") or not TITLE.fullmatch(title) or title == OTHER:
        raise ValueError(f'the first line must be "# " and a title other than {OTHER}, without any of " < > | : #.')
    parts = {"Definition": "", "Objective": ""}
    for paragraph in re.split(r"\n\s*\n", rest.strip()):
        name, _, words = paragraph.partition(":")
        if paragraph and parts.get(name) != "":
            begins = " ".join(paragraph.split())[:40]
            raise ValueError(f'"{begins}" must be the paragraph "Definition: ..." or "Objective: ...", once each.')
        parts |= {name: " ".join(words.split())}
    for name in ("Definition", "Objective"):
        if not parts[name]:
            raise ValueError(f'it has no paragraph "{name}: ...".')
    if not sections:
        raise ValueError('it has no rules; each begins with a line "## Rule 1: NAME".')
    rules = []
    for number, (heading, body) in enumerate(zip(sections[::2], sections[1::2], strict=True), 1):
        named = RULE.fullmatch(heading.strip())
        if not named or int(named[1]) != number or not body.strip():
            raise ValueError(f'"## {heading.strip()}" must read "## Rule {number}: NAME", with its text below.')
        rules.append(f"Rule {number}: {named[2]}\n{body.strip()}")
    return Policy(title, parts["Definition"], "\n\n".join([f"Objective: {parts['Objective']}", *rules]))


def definitions(policies: Mapping[str, Policy], categories: Iterable[str]) -> str:
    """Return the definitions of `categories` for a prompt, a line each."""
    return "\n".join(f"- {category}: {policies[category].definition}" for category in categories)


def blocks(policies: Mapping[str, Policy], categories: Iterable[str]) -> str:
    """Return the policies of `categories` for a prompt, each in a tag that carries its name.

    Raises KeyError where one has no policy (Other).
    """
    return "\n".join(f'<policy name="{category}">\n{policies[category].text}\n</policy>' for category in categories)
