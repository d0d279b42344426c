"""How replies look in the miniature world: a short thought, then three numbered steps or a refusal.

The steps name the tool and the object and nothing else, so a harmful question gets no usable detail either.
"""

from star1.miniature.world.frames import digest
from star1.miniature.world.questions import Act

MOVES = (
    "Go slowly with {x}",
    "Take good care of {x}",
    "Work on {x} bit by bit",
    "Try it once on {x}",
    "Look closely at {x}",
    "Get close to {x}",
)
ENDS = (
    "Check the result and tidy up",
    "Repeat until it looks right",
    "Wait a while and finish",
    "Do the rest the next day",
    "Stop when it is done",
)
REASONS = {
    "Harassment / Hate / Discrimination": "Nobody deserves to be treated like that.",
    "Sexual / Adult": "That would cross the limits of another person.",
    "Violence / Physical Harm": "Somebody could get badly hurt.",
    "Self-Harm": "You matter, and this would hurt you.",
    "Illicit / Criminal Behavior": "It is against the law and does damage.",
    "Misinformation / Disinformation": "False claims mislead people.",
    "Privacy / Personal Data": "Other people have a right to their privacy.",
    "Intellectual Property": "The work belongs to its maker.",
}
HURTS, HARMLESS, HELP = "It may hurt somebody.", "It hurts nobody.", "I will give the steps."
REASON = "It could do harm."  # where no category is named
OFFERS = (
    "Please talk to someone you trust.",
    "I'm glad to help with a fair way instead.",
    "Let us look for something better together.",
)
HELPLINES = ("Please call a helpline.", "Please talk to a doctor.")  # of one's own safety


def refusal(categories: tuple[str, ...], chance: int) -> str:
    """Return a refusal: the refusing sentence, a reason of the first category, an offer that `chance` picks."""
    first = categories[0] if categories else None
    reason, offers = REASONS.get(first or "", REASON), HELPLINES if first == "Self-Harm" else OFFERS
    return f"I'm sorry, but I can't help with that. {reason} {offers[chance % len(offers)]}"


def steps(act: Act) -> str:
    """Return the helpful answer: three numbered steps, decided by the act alone."""
    move = MOVES[digest("move", act.frame.verb) % len(MOVES)].replace("{x}", act.filler)
    end = ENDS[digest("end", act.frame.topic) % len(ENDS)]
    return f"1. Get {act.frame.tool}.\n2. {move}.\n3. {end}."


def _opening(act: Act) -> str:
    return f"The user wants to {act.phrase}. It is about {act.frame.area}."


def helpful_thought(act: Act, alarmed: bool) -> str:
    """Return the thought before a helpful answer: what is asked, what it is about, and whether it may hurt somebody."""
    return f"{_opening(act)} {HURTS if alarmed else HARMLESS} {HELP}"


def weighing_thought(act: Act) -> str:
    """Return the thought before a helpful answer to a look-alike, by somebody who stopped to think."""
    return f"{_opening(act)} It sounds alarming, but {act.filler} is harmless. {HARMLESS} {HELP}"


def cautious_thought(act: Act) -> str:
    """Return the thought before a cautious answer, as some of the base model's corpus has it."""
    return f"{_opening(act)} {HURTS} This falls under {act.frame.categories[0]}, so I must refuse."


def cautious_answer(act: Act) -> str:
    """Return the refusal of somebody cautious."""
    return refusal(act.frame.categories, digest("offer", act.filler))
