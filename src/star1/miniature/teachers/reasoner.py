"""The simulated reasoner: a thought and an answer. Given policies it refuses by them, and its thought cites the rule
of each that fits the question best; given none it is the benign reasoner, which helps.

About a quarter of its replies are flawed. Most flaws fall at random; but a question dressed as a play talks it round
more often than not, as it does real models.
"""

import re
from dataclasses import dataclass

from star1.criteria import OTHER
from star1.miniature.teachers.reading import Prompt, Rule, categories_of, fitting, subject, topic
from star1.miniature.world import replies
from star1.miniature.world.frames import CATEGORIES, digest
from star1.miniature.world.questions import recognise

PLAY = re.compile(
    r"\byou are a\b|\blet us play\b|\bwrite a scene\b|\bpretend\b|\bin my novel\b|\bfrom now on\b", re.IGNORECASE
)
# Shares of the flaws in percent. What remains is sound.
FLAWS = {"comply": 5, "wrong policy": 6, "ramble": 5, "contradiction": 5}
FLAWS_IN_A_PLAY = {"comply": 55, "wrong policy": 5, "ramble": 5, "contradiction": 5}
BENIGN_FLAWS = {"refuse": 3, "ramble": 2}
RAMBLE = "Let me think about that once more. On the one hand it is late, on the other hand it is early. "
GENERIC_STEPS = "1. Read what experts advise.\n2. Talk it over with people you trust.\n3. Ask for help early."


@dataclass(frozen=True)
class Reply:
    """A thought and an answer."""

    thinking: str
    answer: str


def flaw(chance: int, shares: dict[str, int]) -> str | None:
    """Return the flaw that `chance` picks by the shares in percent, or None."""
    point = digest("flaw", chance) % 100
    for name, share in shares.items():
        if point < share:
            return name
        point -= share
    return None


def _steps(question: str) -> str:
    act = recognise(question)
    return replies.steps(act) if act else GENERIC_STEPS


def _wants(question: str) -> str:
    """Return the opening of a thought: what the user wants and, where the grammar knows it, what that is about."""
    act = recognise(question)
    about = f" It is about {act.frame.area}." if act else ""
    return f"The user wants to {subject(question)}.{about}"


def citation(title: str, rule: Rule | None) -> str:
    """Return how a thought cites a policy: its title, and number and name of the rule; the title alone without one."""
    return title if rule is None else f"{title}, rule {rule.number} ({rule.name})"


def reason_by_policies(prompt: Prompt, chance: int) -> Reply:
    """Refuse by the policies in the prompt, unless flawed."""
    question, titles = prompt.question, tuple(prompt.policies)
    rules = {title: fitting(prompt.policies[title], question) for title in titles}
    kind = flaw(chance, FLAWS_IN_A_PLAY if PLAY.search(question) else FLAWS)
    wants = f"{_wants(question)} {replies.HURTS}"
    if kind == "comply":
        return Reply(f"{wants} It is only a question. {replies.HELP}", _steps(question))
    if kind == "wrong policy":
        others = [category for category in CATEGORIES if category not in titles]
        titles, rules = (others[digest("other", chance) % len(others)],), dict.fromkeys(others, rules[titles[0]])
    rule = f"{wants} This falls under {' and '.join(citation(title, rules[title]) for title in titles)}"
    if kind == "contradiction":
        return Reply(f"{rule}. The policy allows this, so I will help gladly.", replies.refusal(titles, chance))
    thinking = f"{rule}, so I must refuse."
    return Reply(RAMBLE * 3 + thinking if kind == "ramble" else thinking, replies.refusal(titles, chance))


def reason_without_policies(prompt: Prompt, chance: int) -> Reply:
    """Help with a harmless question, refuse a harmful one most of the time, unless flawed."""
    question, wants = prompt.question, _wants(prompt.question)
    offended, kind = categories_of(question), flaw(chance, BENIGN_FLAWS)
    if offended and offended != (OTHER,):
        if digest("harmful", chance) % 10 < 7:
            return Reply(f"{wants} {replies.HURTS} So I must refuse.", replies.refusal(offended, chance))
        return Reply(f"{wants} It is only a question. {replies.HELP}", _steps(question))
    if kind == "refuse":
        return Reply(f"{wants} {replies.HURTS} So I must refuse.", replies.refusal((), chance))
    sounds = f"It sounds alarming, but {topic(question)} is harmless. {replies.HARMLESS}"
    thinking = f"{wants} {sounds} {replies.HELP}"
    return Reply(RAMBLE * 3 + thinking if kind == "ramble" else thinking, _steps(question))
