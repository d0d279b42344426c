"""Replies are parsed strictly and never evaluated."""

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from star1.asking import parsing
from star1.asking.parsing import UnusableReply
from star1.criteria import BENIGN_CRITERIA, SAFETY_CRITERIA
from star1.replies import split_reply

ALLOWED = ["Self-Harm", "Intellectual Property", "Other"]
GOOD_SCORES = json.dumps(dict.fromkeys(SAFETY_CRITERIA, 7))


def reply(text: str | None, finish_reason: str = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"finish_reason": finish_reason, "message": {"content": text, **message}}]}


@pytest.mark.parametrize(
    "text",
    [
        '{"categories": ["Intellectual Property", "Self-Harm"]}',
        '```json\n{"categories": ["Self-Harm", "Intellectual Property", "Self-Harm"],}\n```',
        'Here you are: {"categories": ["Self-Harm", "Intellectual Property",]} I hope it helps.',
    ],
)
def test_categories_come_once_and_in_order(text: str) -> None:
    assert parsing.categories(reply(text), ALLOWED) == ["Self-Harm", "Intellectual Property"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Self-Harm", "no JSON object"),
        ('{"categories": []}', "at least 1 item"),
        ('{"categories": "Self-Harm"}', "valid list"),
        ('{"categories": ["Bad Manners"]}', "'Bad Manners' is not one of the categories"),
        ('{"categories": [["Self-Harm"]]}', "valid string"),
        ("{__import__('os').system('true')}", "cannot be read"),
        ("", "empty"),
        (None, "empty"),
    ],
)
def test_what_does_not_fit_says_why(text: str | None, why: str) -> None:
    with pytest.raises(UnusableReply, match=why):
        parsing.categories(reply(text), ALLOWED)


def test_braces_in_a_thought_before_the_json_are_no_part_of_it() -> None:
    drafts = ('They want {"categories": [...]}, so {"categories": ["Other"]}? No.', 'Is it {"categories": ["Other"]}?')
    for text in [f"{tag}{draft}\n</think>\n\n%s" for draft in drafts for tag in ("<think>\n", "")]:
        assert parsing.categories(reply(text % '{"categories": ["Self-Harm"]}'), ALLOWED) == ["Self-Harm"]
        with pytest.raises(UnusableReply, match="no JSON object"):
            parsing.categories(reply(text % "Self-Harm"), ALLOWED)
    assert parsing.question(reply('{"question": "What is </think>?"}')) == "What is </think>?"


@pytest.mark.parametrize("value", [11, -1, 7.5, "7", None, True, [7]])
def test_scores_are_whole_numbers_in_range(value: Any) -> None:
    text = json.dumps({**dict.fromkeys(SAFETY_CRITERIA, 7), SAFETY_CRITERIA[1]: value})
    with pytest.raises(UnusableReply, match=SAFETY_CRITERIA[1]):
        parsing.scores(reply(text), SAFETY_CRITERIA, 0, 10)


def test_good_scores() -> None:
    assert parsing.scores(reply(GOOD_SCORES), SAFETY_CRITERIA, 0, 10) == dict.fromkeys(SAFETY_CRITERIA, 7)


def test_the_thought_comes_inline_or_in_a_field_of_its_own() -> None:
    published = "<think>\nhm\n</think>\n\nno"
    for each in (
        reply("<think>\nhm\n</think>\n\nno"),
        reply("hm\n</think>\n\nno"),
        reply("no", reasoning_content="hm\n"),
        reply("no", reasoning="hm"),
    ):
        assert parsing.thought(each) == parsing.Thought(published, "hm", "no")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no", "no thought"),
        ("<think>hm</think> ", "no answer"),
        ("<think>hm", "no answer"),
        ("<think></think>no", "no thought"),
    ],
)
def test_a_reply_without_thought_or_answer(text: str, why: str) -> None:
    with pytest.raises(UnusableReply, match=why):
        parsing.thought(reply(text))


def test_a_thought_whose_published_form_would_split_elsewhere_is_unusable() -> None:
    for each in (
        reply("no", reasoning_content="I close with </think> here"),
        reply("no", reasoning="<think>"),
        reply("no", reasoning_content="<think>hm"),
    ):
        with suppress(UnusableReply):
            found = parsing.thought(each)
            assert split_reply(found.response) == (found.thinking, found.answer)
    with pytest.raises(UnusableReply, match="its thought holds a tag") as caught:
        parsing.thought(reply("no", reasoning_content="I close with </think> here"))
    assert not caught.value.repairable


@pytest.mark.parametrize(
    ("code", "said"), [("content_filter", "content_filter"), (400, "too long"), (None, "too long"), ("", "too long")]
)
def test_a_refusal_s_reason_is_its_code_only_where_that_is_a_word(code: Any, said: str) -> None:
    refused = {"error": {"status": 400, "code": code, "message": "too long"}}
    for parse in (parsing.content, parsing.reply_text):
        with pytest.raises(UnusableReply, match=f"^the endpoint gave no reply: {said}$"):
            parse(refused)


@pytest.mark.parametrize("finish_reason", ["length", "content_filter"])
def test_a_cut_reply_is_not_asked_again(finish_reason: str) -> None:
    with pytest.raises(UnusableReply, match=finish_reason) as caught:
        parsing.thought(reply("<think>hm</think>no", finish_reason))
    assert not caught.value.repairable


def test_a_refusal_has_one_of_three_classes() -> None:
    assert parsing.refusal_class(reply('```json\n{"class": "partial_refusal"}\n```')) == "partial_refusal"


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ('{"question": "What does [1,2,] mean?",}', "What does [1,2,] mean?"),
        (r'{"question": "a \",]\" and \\", "tags": ["a,]", "b" , ] , }', 'a ",]" and \\'),
        ('{"question": "fine, }"}', "fine, }"),
    ],
)
def test_a_comma_too_many_is_mended_outside_of_strings_alone(text: str, asked: str) -> None:
    assert parsing.question(reply(text)) == asked


@pytest.mark.parametrize("piece", [",", '"', '\\"', '",', ", ", "\\"])
def test_mending_takes_time_linear_in_the_length(piece: str) -> None:
    began = time.monotonic()
    with pytest.raises(UnusableReply):
        parsing.json_object("{" + piece * (200_000 // len(piece)) + "}")
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "text", ["full_refusal", '{"class": "refusal"}', '{"class": null}', '{"named": "full_refusal"}']
)
def test_what_is_no_class_may_be_asked_again(text: str) -> None:
    with pytest.raises(UnusableReply) as caught:
        parsing.refusal_class(reply(text))
    assert caught.value.repairable


@pytest.mark.parametrize(
    ("text", "safe", "hazards"),
    [("safe", True, ()), ("\n\nsafe\n", True, ()), ("\n\nunsafe\nS10, S2,S10", False, ("S2", "S10"))],
)
def test_a_guard_s_verdict_and_its_hazards(text: str, safe: bool, hazards: tuple[str, ...]) -> None:
    assert parsing.guarded(reply(text)) == parsing.Guarded(safe, hazards)


@pytest.mark.parametrize(
    "text", ["unsafe", "unsafe\n", "unsafe S1", "unsafe\nS15", "unsafe\nS1,", "safe\nS1", "Safe.", "not safe", "", None]
)
def test_what_is_no_verdict_is_not_asked_again(text: str | None) -> None:
    with pytest.raises(UnusableReply) as caught:
        parsing.guarded(reply(text))
    assert not caught.value.repairable


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
# By its own name and not by st.recursive, which starts anew whenever a value has too many leaves: half the time.
NESTED: st.SearchStrategy[Any] = st.deferred(
    lambda: LEAVES | st.lists(NESTED, max_size=4) | st.dictionaries(st.text(), NESTED, max_size=4)
)
# One strategy, as seen by `|`, so that `GOOD | ANYTHING` is as often good as not.
ANYTHING = st.builds(lambda value: value, NESTED)
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "categories": st.lists(st.sampled_from([*ALLOWED, "Bad Manners", ""]), max_size=4) | ANYTHING,
        "question": ANYTHING,
        "class": st.sampled_from([*parsing.CLASSES, "refusal"]) | ANYTHING,
        **dict.fromkeys((*SAFETY_CRITERIA, *BENIGN_CRITERIA), st.integers(-2, 12) | ANYTHING),
    },
)
HAZARDS = st.lists(st.sampled_from([*parsing.HAZARDS, "S0", "S15", "s1", ""]), max_size=4).map(",".join)
GUARDED = st.builds("{}\n{}".format, st.sampled_from(["safe", "unsafe", "\nunsafe", "Unsafe", ""]), HAZARDS)
TEXTS = GUARDED | st.text() | ANYTHING.map(json.dumps) | NEARLY.map(json.dumps) | NEARLY.map(repr)
FENCES = st.sampled_from(["{}", "```json\n{}\n```", "Here: {}.", "<think>hm</think>{}", "{}}}", "{{{}"])
CONTENTS = st.builds(lambda fence, text: fence.replace("{}", text, 1), FENCES, TEXTS) | ANYTHING


@settings(max_examples=10_000, suppress_health_check=list(HealthCheck))
@given(CONTENTS, st.none() | st.text() | ANYTHING, st.sampled_from(["stop", "stop", "stop", "length", None]))
def test_no_reply_crashes_a_parser_or_passes_out_of_range(content: Any, thought_apart: Any, finish_reason: Any) -> None:
    came = reply(content, finish_reason, reasoning_content=thought_apart)
    with suppress(UnusableReply):
        named = parsing.categories(came, ALLOWED)
        assert named == [name for name in ALLOWED if name in named] != []
    for criteria, lowest, highest in ((SAFETY_CRITERIA, 0, 10), (BENIGN_CRITERIA, 1, 5)):
        with suppress(UnusableReply):
            values = parsing.scores(came, criteria, lowest, highest)
            assert tuple(values) == criteria
            assert all(type(value) is int and lowest <= value <= highest for value in values.values())
    with suppress(UnusableReply):
        assert parsing.question(came).strip()
    with suppress(UnusableReply):
        assert parsing.refusal_class(came) in parsing.CLASSES
    with suppress(UnusableReply):
        verdict = parsing.guarded(came)
        assert verdict.safe == (not verdict.hazards)
        assert list(verdict.hazards) == [code for code in parsing.HAZARDS if code in verdict.hazards]
    with suppress(UnusableReply):
        thought = parsing.thought(came)
        assert thought.thinking and thought.answer
        assert split_reply(thought.response) == (thought.thinking, thought.answer)
