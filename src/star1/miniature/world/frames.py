"""Action frames: what the miniature world can ask about, read from frames.txt (harmful and look-alike) and plain.txt.

Fillers are split by position: every fourth one is unseen, kept for benchmarks. Starred frames are kept for benchmarks
as a whole. An unseen filler of two parts has both parts unseen.
"""

import re
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from itertools import product
from pathlib import Path

CATEGORIES = (
    "Harassment / Hate / Discrimination",
    "Sexual / Adult",
    "Violence / Physical Harm",
    "Self-Harm",
    "Illicit / Criminal Behavior",
    "Misinformation / Disinformation",
    "Privacy / Personal Data",
    "Intellectual Property",
)
PEOPLE = (
    "my neighbour", "my boss", "a stranger", "a tourist", "my teacher", "my cousin", "my roommate", "the postman",
    "my landlord", "a classmate", "the baker", "the dentist", "my coach", "the librarian", "my uncle", "a waiter",
    "the shopkeeper", "a colleague", "my aunt", "the plumber", "the bus driver", "the mayor", "my sister",
    "the referee", "a singer", "the farmer", "my grandson", "a nurse",
)  # fmt: skip
MATERIALS = (
    "a wooden", "a paper", "a rubber", "a toy", "a clay", "a plastic", "a cardboard", "a painted", "a stuffed",
    "a tin", "a cartoon", "a pretend", "a knitted", "a glass", "a chocolate", "a stone",
)  # fmt: skip
FIGURES = (
    "robot", "dragon", "king", "pirate", "ghost", "bear", "knight", "clown", "wizard", "giant", "duck", "witch",
    "soldier", "monkey", "monster", "queen", "snowman", "dinosaur", "lion", "frog",
)  # fmt: skip
OWN = ("my own", "our own", "my spare", "my late grandfather's", "my old", "a toy", "a practice", "our shared")


@dataclass(frozen=True)
class Frame:
    """One action with its fillers. `area` is the broad field that the harmful and look-alike questions share."""

    categories: tuple[str, ...]
    area: str
    topic: str
    verb: str
    tool: str
    held_out: bool
    harmful: tuple[str, ...]
    harmful_unseen: tuple[str, ...]
    harmless: tuple[str, ...]
    harmless_unseen: tuple[str, ...]

    @property
    def plain(self) -> bool:
        """True for everyday frames, which have no harmful side."""
        return not self.categories

    def act(self, filler: str) -> str:
        """Return the verb phrase with its object, as in "kick a football as hard as possible"."""
        return self.verb.replace("{}", filler)


def digest(*parts: object) -> int:
    """Return a 64-bit number decided by the parts alone, the same in every process."""
    return int.from_bytes(sha256("\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")).digest()[:8], "big")


def seen(items: tuple[str, ...]) -> tuple[str, ...]:
    """Return the items that sources may use: all but every fourth."""
    return tuple(item for position, item in enumerate(items) if position % 4 != 3)


def unseen(items: tuple[str, ...]) -> tuple[str, ...]:
    """Return every fourth item: those are kept for benchmarks."""
    return items[3::4]


def _listed(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(","))


def _pairs(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(" ".join(pair) for pair in product(first, second))


def _harmful_frame(line: str, category: str, area: str) -> Frame:
    topic, verb, tool, objects = (part.strip() for part in line.split("|"))
    objects, _, second = (part.strip() for part in objects.partition(" + "))
    if objects.startswith("owned:"):
        nouns, owners = _listed(objects.removeprefix("owned:")), tuple(f"{person}'s" for person in PEOPLE)
        fillers = (
            _pairs(seen(owners), seen(nouns)), _pairs(unseen(owners), unseen(nouns)),
            _pairs(seen(OWN), seen(nouns)), _pairs(unseen(OWN), unseen(nouns)),
        )  # fmt: skip
    elif objects == "person":
        fillers = (
            seen(PEOPLE), unseen(PEOPLE),
            _pairs(seen(MATERIALS), seen(FIGURES)), _pairs(unseen(MATERIALS), unseen(FIGURES)),
        )  # fmt: skip
    else:
        bad, good = (_listed(side) for side in objects.split(" / "))
        fillers = (seen(bad), unseen(bad), seen(good), unseen(good))
    categories = (category, second) if second else (category,)
    return Frame(categories, area, topic.removeprefix("* "), verb, tool, topic.startswith("*"), *fillers)


def _plain_frame(line: str, area: str) -> Frame:
    topic, verb, tool, objects = (part.strip() for part in line.split("|"))
    fillers = _listed(objects)
    return Frame(
        (), area, topic.removeprefix("* "), verb, tool, topic.startswith("*"), (), (), seen(fillers), unseen(fillers)
    )


@cache
def frames() -> tuple[Frame, ...]:
    """Return every frame, harmful ones first, in the order of the two files."""
    here, found = Path(__file__).parent, []
    for name in ("frames.txt", "plain.txt"):
        category, area = "", ""
        for line in (here / name).read_text(encoding="utf-8").splitlines():
            if heading := re.fullmatch(r"\[(.+?)\] ?(.*)", line):
                category, area = heading.groups()
            elif line and not line.startswith("# "):
                found.append(
                    _harmful_frame(line, category, area) if name == "frames.txt" else _plain_frame(line, category)
                )
    return tuple(found)


def frames_of(category: str, held_out: bool) -> tuple[Frame, ...]:
    """Return the frames whose first category is `category`, either those of the sources or the held-out ones."""
    return tuple(f for f in frames() if f.categories[:1] == (category,) and f.held_out == held_out)
