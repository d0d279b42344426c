"""The 18 sources as the miniature world plays them: harmful questions, each source with its own taste, and planted
flaws.

Planted for the pipeline to find: exact copies that differ in case and spacing, rewordings of rows of the same and of
earlier sources, copies and near-copies of benchmark prompts, and questions that none of the eight policies covers.
"""

from dataclasses import dataclass
from random import Random

from star1.criteria import OTHER
from star1.miniature.world.benchmarks import benchmark
from star1.miniature.world.frames import CATEGORIES, frames_of
from star1.miniature.world.questions import PLAYS, TAILS, WORDINGS, Act, draw_filler, recognise, render

CONTAMINANTS = ("StrongREJECT", "JBB", "SGBench", "WildJailbreak", "XSTest")
SHARED_ROWS = 40  # how many questions a reworded copy of another source is drawn from, and prompts of each benchmark


@dataclass(frozen=True)
class Taste:
    """What a source likes. `weights`: of the eight categories, in their order; `wordings`: which ones it uses."""

    weights: tuple[int, ...]
    wordings: tuple[str, ...]
    tails: float = 0.5


# Sexual / Adult and Self-Harm are rare, as in the real sources; the large ones lean on few categories.
TASTES = {
    "GPTFuzz": Taste((2, 1, 2, 1, 3, 1, 2, 1), WORDINGS[3:8]),
    "SimpleSafetyTests": Taste((0, 1, 3, 3, 3, 0, 0, 0), WORDINGS[0:3], 0.1),
    "MaliciousInstruct": Taste((2, 0, 1, 0, 4, 2, 2, 1), WORDINGS[10:12], 0.2),
    "QHarm": Taste((1, 0, 3, 1, 3, 0, 2, 1), WORDINGS[0:2]),
    "TDCRedTeaming": Taste((3, 1, 2, 1, 2, 3, 1, 1), WORDINGS[3:6], 0.8),
    "MaliciousInstructions": Taste((3, 1, 2, 0, 2, 2, 2, 1), WORDINGS[5:8]),
    "HarmfulQ": Taste((4, 0, 2, 0, 4, 1, 1, 1), WORDINGS[0:3], 0.1),
    "HExPHI": Taste((2, 2, 2, 1, 3, 2, 2, 2), WORDINGS[4:10]),
    "HarmBench": Taste((2, 0, 1, 0, 4, 3, 1, 4), WORDINGS[3:8]),
    "AttaQ": Taste((3, 1, 3, 1, 4, 1, 3, 1), WORDINGS[0:4]),
    "HarmfulQA": Taste((1, 0, 1, 0, 3, 3, 3, 2), WORDINGS[1:3]),
    "SafetyInstructions": Taste((3, 1, 2, 1, 3, 1, 3, 1), WORDINGS[0:8], 0.3),
    "UltraSafety": Taste((2, 0, 2, 0, 4, 2, 3, 1), WORDINGS[7:10] + PLAYS),
    "ALERT": Taste((4, 1, 2, 1, 5, 1, 2, 1), WORDINGS),
    "SaladBench": Taste((3, 1, 2, 1, 4, 3, 4, 3), WORDINGS, 0.8),
    "PKUSafeRLHF": Taste((2, 0, 2, 1, 5, 2, 4, 2), WORDINGS[0:10]),
    "BeaverTails": Taste((5, 1, 3, 0, 6, 1, 3, 1), WORDINGS[0:6]),
    "wildjailbreak": Taste((4, 1, 2, 1, 3, 4, 5, 3), WORDINGS[5:12] + PLAYS, 0.9),
}
NAMES = tuple(TASTES)


def _fresh(random: Random, taste: Taste) -> str:
    other = random.random() < 0.015
    category = OTHER if other else random.choices(CATEGORIES, taste.weights)[0]
    act = draw_filler(random, random.choice(frames_of(category, held_out=False)), harmful=True, unseen=False)
    return _worded(random, act, taste)


def _worded(random: Random, act: Act, taste: Taste) -> str:
    return render(act, random.choice(taste.wordings), random.choice(TAILS[1:]) if random.random() < taste.tails else "")


def _reworded(random: Random, question: str, taste: Taste) -> str:
    act = recognise(question)
    return question if act is None else _worded(random, act, taste)


def _respelled(random: Random, question: str) -> str:
    return random.choice(
        (question, question.upper(), question.lower(), f"  {question}", question.replace(" ", "  ", 1), f"{question}\n")
    )


def _edited(random: Random, prompt: str) -> str:
    """Return a near-copy of a benchmark prompt: a word or two are added, the rest is as it was."""
    return random.choice(("Hey, {}", "{} Thanks.", "{} Please be brief.", "Question: {}")).format(prompt)


def questions(source: str, rows: int, seed: int) -> list[str]:
    """Return the rows of a source, in its order, flaws included; row i does not depend on `rows`.

    Contamination is drawn from the benchmarks of the same seed. Raises ValueError for an unknown source.
    """
    if source not in TASTES:
        raise ValueError(f"unknown miniature source {source!r}: it is one of {', '.join(NAMES)}")
    taste, position, random = TASTES[source], NAMES.index(source), Random(f"source {source} {seed}")
    earlier = [_fresh(Random(f"shared {seed} {number}"), TASTES["SaladBench"]) for number in range(SHARED_ROWS)]
    prompts = [row["prompt"] for name in CONTAMINANTS for row in benchmark(name, SHARED_ROWS, seed)]
    found: list[str] = []
    for _ in range(rows):
        fate = random.random()
        if fate < 0.04 and found:
            found.append(_respelled(random, random.choice(found)))
        elif fate < 0.10 and found:
            found.append(_reworded(random, random.choice(found), taste))
        elif fate < 0.13:
            shared = random.choice(earlier)
            found.append(shared if position % 2 else _reworded(random, shared, taste))
        elif fate < 0.15:
            prompt = random.choice(prompts)
            found.append(prompt if random.random() < 0.5 else _edited(random, prompt))
        else:
            found.append(_fresh(random, taste))
    return found
