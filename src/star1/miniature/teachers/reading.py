"""What the simulated teachers can read: the parts of a prompt, and what a question is about, known to the grammar or
not.
"""

import re
from dataclasses import dataclass
from typing import Any

from star1.criteria import OTHER
from star1.miniature.world.frames import CATEGORIES
from star1.miniature.world.questions import recognise

# Word beginnings, parted by spaces, that give a category away in questions that the grammar does not know.
STEMS = {
    "Harassment / Hate / Discrimination": (
        "harass bully bullie insult hate hateful racis sexis discriminat stereotyp slur mock offens bigot "
        "ridicul homophob minorit immigrant ethnic gender"
    ),
    "Sexual / Adult": "sex sexual porn nude naked erotic explicit prostitut incest fetish",
    "Violence / Physical Harm": (
        "kill murder bomb weapon attack shoot poison assault hurt harm injur explos terror torture stab "
        "violen gun kidnap arson beat"
    ),
    "Self-Harm": "suicid self-harm starv anorex overdos cutting",
    "Illicit / Criminal Behavior": (
        "steal stole theft drug meth cocaine heroin rob fraud launder smuggl illegal counterfeit forg brib "
        "hack malware virus ransom traffick tax bypass burgl shoplift scam phish blackmail extort embezzl "
        "crime criminal"
    ),
    "Misinformation / Disinformation": (
        "misinform disinform fake rumor rumour propagand conspirac hoax mislead manipulat false decei spread"
    ),
    "Privacy / Personal Data": (
        "privacy password personal spy stalk dox identit surveil track social address phone credit wiretap eavesdrop"
    ),
    "Intellectual Property": "copyright pirat plagiar patent trademark torrent crack licens knock-off bootleg",
}
_STEM_PATTERNS = {
    category: re.compile(rf"\b(?:{'|'.join(map(re.escape, stems.split()))})", re.IGNORECASE)
    for category, stems in STEMS.items()
}
SAFETY_QUESTION = "What should people know to stay safe when somebody asks this: "


RULE = re.compile(r"^Rule (\d+): (.+)\n((?:(?!Rule \d).*\n?)*)", re.MULTILINE)
WORD = re.compile(r"[a-z]{4,}")


@dataclass(frozen=True)
class Rule:
    """A numbered rule of a policy in a prompt, with its name and its text."""

    number: int
    name: str
    text: str


@dataclass(frozen=True)
class Prompt:
    """A request's messages, taken apart by their tags."""

    text: str
    question: str
    categories: dict[str, str]  # offered to a classifier: name and definition
    policies: dict[str, tuple[Rule, ...]]  # by the policy's title
    thinking: str
    answer: str
    asked_again: bool


def _content(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def _last(tag: str, text: str) -> str:
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    return found[-1].strip() if found else ""


def read(messages: list[dict[str, Any]]) -> Prompt:
    """Take the prompt apart. A conversation with an assistant turn in it is one that was asked again."""
    text = "\n".join(_content(message) for message in messages if message.get("role") != "assistant")
    listed = (line.removeprefix("- ").partition(": ") for line in _last("categories", text).splitlines())
    return Prompt(
        text,
        _last("question", text) or text,
        {name: definition for name, _, definition in listed if name},
        {title: _rules(body) for title, body in re.findall(r'<policy name="([^"]+)">(.*?)</policy>', text, re.DOTALL)},
        _last("thinking", text),
        _last("answer", text),
        any(message.get("role") == "assistant" for message in messages),
    )


def _rules(policy: str) -> tuple[Rule, ...]:
    return tuple(Rule(int(number), name.strip(), text.strip()) for number, name, text in RULE.findall(policy))


def stems(text: str) -> set[str]:
    """Return the beginnings, five letters at most, of a text's words of four letters or more, without a final s."""
    return {word.rstrip("s")[:5] for word in WORD.findall(text.lower())}


def labels(question: str, offered: dict[str, str]) -> tuple[str, ...]:
    """Return which of the categories in `offered` (name to definition) a question falls under; none if it fits none.

    A category that the world knows by its name is known by it; any other by the words that its name and definition
    share with the question and what is known of it. Of these the ones that share most are named, three at most.
    """
    understood = [category for category in categories_of(question) if category != OTHER]
    known = tuple(category for category in offered if category in understood)
    if known or not understood:
        return known
    act = recognise(question)
    about = stems(
        " ".join((*understood, act.phrase, act.frame.topic, act.frame.area) if act else (*understood, question))
    )
    shared = {name: len(about & stems(f"{name} {text}")) for name, text in offered.items() if name != OTHER}
    most = max(shared.values(), default=0)
    return tuple(name for name, count in shared.items() if most and count == most)[:3]


def fitting(rules: tuple[Rule, ...], question: str) -> Rule | None:
    """Return the rule that shares most words with the question, of equals the first; None of none."""
    return max(rules, key=lambda rule: len(stems(f"{rule.name} {rule.text}") & stems(question)), default=None)


def categories_of(question: str) -> tuple[str, ...]:
    """Return the world's safety categories that a question offends, at most three; none for a harmless one, ("Other",)
    when nothing fits.

    A question that the grammar knows is read by it; any other by its word stems, and one without any such stem is
    Other.
    """
    if question.startswith(SAFETY_QUESTION):
        return ()
    if act := recognise(question):
        return act.categories
    counts = {category: len(pattern.findall(question)) for category, pattern in _STEM_PATTERNS.items()}
    ranked = sorted((category for category in CATEGORIES if counts[category]), key=lambda category: -counts[category])
    return tuple(ranked[:3]) or (OTHER,)


def subject(question: str) -> str:
    """Return what the user wants, as a verb phrase where the grammar knows it, else the start of the question."""
    if act := recognise(question):
        return act.phrase
    words = question.split()
    return f"know the following: {' '.join(words[:12])}{' ...' if len(words) > 12 else ''}"


def topic(question: str) -> str:
    """Return the object of the question, or "this" where the grammar does not know it."""
    act = recognise(question)
    return act.filler if act else "this"
