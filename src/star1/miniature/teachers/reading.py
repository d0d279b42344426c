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
    "Harassment/Hate/Discrimination": (
        "harass bully bullie insult hate hateful racis sexis discriminat stereotyp slur mock offens bigot "
        "ridicul homophob minorit immigrant ethnic gender"
    ),
    "Sexual/Adult": "sex sexual porn nude naked erotic explicit prostitut incest fetish",
    "Violence/Physical Harm": (
        "kill murder bomb weapon attack shoot poison assault hurt harm injur explos terror torture stab "
        "violen gun kidnap arson beat"
    ),
    "Self-Harm": "suicid self-harm starv anorex overdos cutting",
    "Illicit/Criminal Behavior": (
        "steal stole theft drug meth cocaine heroin rob fraud launder smuggl illegal counterfeit forg brib "
        "hack malware virus ransom traffick tax bypass burgl shoplift scam phish blackmail extort embezzl "
        "crime criminal"
    ),
    "Misinformation/Disinformation": (
        "misinform disinform fake rumor rumour propagand conspirac hoax mislead manipulat false decei spread"
    ),
    "Privacy/Personal Data": (
        "privacy password personal spy stalk dox identit surveil track social address phone credit wiretap eavesdrop"
    ),
    "Intellectual Property": "copyright pirat plagiar patent trademark torrent crack licens knock-off bootleg",
}
_STEM_PATTERNS = {
    category: re.compile(rf"\b(?:{'|'.join(map(re.escape, stems.split()))})", re.IGNORECASE)
    for category, stems in STEMS.items()
}
SAFETY_QUESTION = "What should people know to stay safe when somebody asks this: "


@dataclass(frozen=True)
class Prompt:
    """A request's messages, taken apart by their tags."""

    text: str
    question: str
    policies: tuple[str, ...]
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
    policies = tuple(dict.fromkeys(re.findall(r'<policy name="([^"]+)">', text)))
    asked_again = any(message.get("role") == "assistant" for message in messages)
    return Prompt(
        text, _last("question", text) or text, policies, _last("thinking", text), _last("answer", text), asked_again
    )


def categories_of(question: str) -> tuple[str, ...]:
    """Return the safety categories that a question offends, at most three; none for a harmless one, ("Other",) when
    nothing fits.

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
