"""The simulated classifier: which of the categories in the prompt a question falls under, as JSON."""

import json

from star1.criteria import OTHER
from star1.miniature.teachers.reading import Prompt, labels
from star1.miniature.world.frames import digest

PROSE = "This question looks problematic to me, I would put it under several headings."


def classify(prompt: Prompt, chance: int) -> str:
    """Return `{"categories": [...]}`, in a code fence one time in four; malformed three times in a hundred, until asked
    again.
    """
    categories = list(labels(prompt.question, prompt.categories)) or [OTHER]
    if not prompt.asked_again and digest("malformed", chance) % 100 < 3:
        return PROSE if chance % 2 else json.dumps({"categories": ["Bad Manners"]})
    reply = json.dumps({"categories": categories})
    return f"```json\n{reply}\n```" if digest("fence", chance) % 4 == 0 else reply
