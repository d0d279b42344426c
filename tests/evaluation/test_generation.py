"""Where a reply's thought ends, by its tags and by the model's own chat template."""

from pathlib import Path

import pandas as pd
import pytest

from star1.asking.rows import Asked, Conversations
from star1.errors import UserError
from star1.evaluation.generation import Generated, as_generations, check_replies, questions
from tests.llm.conftest import PARAMS
from tests.training.families import tokenizer_of

REPLIES = {
    "so</think>No.": ("so", "No."),
    "<think>so</think>No.": ("so", "No."),
    "<think>so": ("so", None),
    "": (None, ""),
}


@pytest.mark.parametrize(
    ("family", "without_tags"),
    [
        ("r1-opens", ("so", None)),
        ("r1-opens-bare", ("so", None)),
        ("r1", (None, "so")),
        ("qwen-instruct", (None, "so")),
    ],
)
def test_a_reply_without_tags_is_a_thought_where_the_template_opens_one(
    tmp_path: Path, family: str, without_tags: tuple[str | None, str | None]
) -> None:
    tokenizer_of(family).save_pretrained(tmp_path)
    assert_parts(tmp_path, REPLIES | {"so": without_tags})
    # Alone: a tag that is named within a thought opens none, and is none that closes.
    named = "so <think> it" if family.startswith("r1-opens") else None
    assert_parts(tmp_path, {"so <think> it": (named, None if named else "so <think> it")})


def test_a_benchmark_without_replies_stops_the_stage_however_small_it_is() -> None:
    rows = pd.DataFrame({"id": [f"{name}/{n}/0" for name in "AB" for n in range(50)]})
    rows["benchmark"] = rows["id"].str[0]
    failures = pd.DataFrame({"id": ["A/0/0", "A/1/0", "B/1/0", "B/2/0", "B/3/0"], "reason": [*"xyxyy"]})
    check_replies(rows, Asked({}, failures.head(4)), 0.05)
    with pytest.raises(UserError, match=r"\Abenchmark B: 3 of 50 requests .* 5\.0% allows; most often: y\. All"):
        check_replies(rows, Asked({}, failures), 0.05)
    check_replies(rows, Asked({}, failures.head(0)), 0.0)


@pytest.mark.parametrize("base_url", ["http://cluster/v1", "vllm"])
def test_a_model_that_was_trained_anew_is_asked_anew_wherever_it_is_served(tmp_path: Path, base_url: str) -> None:
    """A URL goes on serving it under its name: the old model's replies would stand in the new one's table."""
    rows = pd.DataFrame({"id": ["A/0/0"], "prompt": ["?"], "task": "guard", "max_tokens": 8})
    requests = []
    for number, weights in enumerate(("old", "new", "old")):
        model = tmp_path / str(number) / "star1"
        model.mkdir(parents=True)
        (model / "model.safetensors").write_text(weights)
        asking = questions(rows, model, base_url, PARAMS.evaluate.protocols["paper"])
        assert asking.teacher is not None
        requests.append(Conversations(asking, asking.teacher, 0)["A/0/0"].request)
    old, new, again = requests
    assert old.key == again.key != new.key
    assert (base_url == "vllm") or old.body == new.body


def assert_parts(model: Path, expected: dict[str, tuple[str | None, str | None]]) -> None:
    ids = [f"B/{number}/0" for number in range(len(expected))]
    fixed = {"suite": "safety", "benchmark": "B", "task": "guard", "prompt": "?", "answer_key": None, "label": None}
    fixed |= {"category": None, "sample": 0}
    rows = pd.DataFrame({"id": ids, "prompt_id": ids, **fixed})
    values = {row_id: Generated(text, "length") for row_id, text in zip(ids, expected, strict=True)}
    generations = as_generations(rows, Asked(values, pd.DataFrame()), model)
    assert list(generations["response"]) == list(expected)
    assert list(zip(generations["thinking"], generations["answer"], strict=True)) == list(expected.values())
