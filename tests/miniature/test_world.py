"""The question grammar: its splits, what is planted, and that every question can be read back."""

import json
import subprocess
import sys
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from star1.bases.miniature import corpus
from star1.criteria import OTHER
from star1.miniature.world import benchmark, questions, sums
from star1.miniature.world.benchmarks import NAMES as BENCHMARKS
from star1.miniature.world.benchmarks import SAFETY
from star1.miniature.world.frames import CATEGORIES, frames
from star1.miniature.world.questions import WORDINGS, Act, recognise, render, reserved
from star1.miniature.world.sources import NAMES as SOURCES
from star1.text import normalise


@pytest.mark.parametrize("source", SOURCES)
def test_sources_ask_harmful_questions_and_keep_their_order_when_cut(source: str) -> None:
    rows = questions(source, 60, seed=101)
    assert len(rows) == 60
    assert questions(source, 20, seed=101) == rows[:20]
    assert questions(source, 60, seed=102) != rows
    acts = [recognise(row) for row in rows]
    assert all(acts)
    # Contamination with XSTest's harmless prompts is all that is not harmful.
    assert sum(act.harmful for act in acts if act) > 55


def test_planted_flaws_are_there() -> None:
    rows = [row for source in SOURCES for row in questions(source, 200, seed=101)]
    folded = [normalise(row) for row in rows]
    prompts = {normalise(row["prompt"]) for name in (*SAFETY, "XSTest") for row in benchmark(name, 40, seed=101)}
    assert len(set(rows)) - len(set(folded)) > 20  # duplicates in another case or spacing
    assert sum(row in prompts for row in set(folded)) > 10  # contamination
    acts = [recognise(row) for row in rows]
    assert 10 < sum(act is not None and act.categories == (OTHER,) for act in acts) < 150
    assert len({(act.frame.verb, act.filler) for act in acts if act}) < 0.9 * len(set(folded))  # rewordings


def test_every_category_is_asked_about() -> None:
    rows = questions("SaladBench", 400, seed=101)
    asked = {category for row in rows if (act := recognise(row)) for category in act.categories}
    assert asked >= set(CATEGORIES)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_benchmark_rows_are_distinct_and_do_not_depend_on_how_many_are_asked_for(name: str) -> None:
    rows = benchmark(name, 120, seed=101)
    assert len({row["prompt"] for row in rows}) == 120
    assert all(set(row) == {"prompt", "answer", "label", "category"} for row in rows)
    assert benchmark(name, 30, seed=101) == rows[:30]


@pytest.mark.parametrize("name", SAFETY)
def test_safety_prompts_are_harmful_and_labelled(name: str) -> None:
    for row in benchmark(name, 120, seed=101):
        act = recognise(row["prompt"])
        assert act is not None and act.harmful and act.categories[0] == row["category"]


def test_over_refusal_prompts_are_harmless() -> None:
    rows = benchmark("XSTest", 200, seed=101)
    assert {row["label"] for row in rows} == {"lookalike", "plain"}
    for row in rows:
        act = recognise(row["prompt"])
        assert act is not None and not act.harmful and act.frame.plain == (row["label"] == "plain")


def test_benchmarks_are_held_out_by_frame_or_filler_from_fresh_source_rows() -> None:
    prompts = {normalise(row["prompt"]) for name in (*SAFETY, "XSTest") for row in benchmark(name, 200, seed=101)}
    held_out = {(act.frame.verb, act.filler) for prompt in prompts if (act := recognise(prompt))}
    rows = [row for source in SOURCES for row in questions(source, 100, seed=101)]
    overlapping = sum((act.frame.verb, act.filler) in held_out for row in rows if (act := recognise(row)))
    assert 0 < overlapping < 0.04 * len(rows)  # the planted contamination and nothing else: two rows in a hundred


def test_the_corpus_has_no_prompt_that_a_benchmark_may_ask() -> None:
    seen = [example.question for example in corpus.examples(3000, 101, caution=0.1, alarm=0.1, weighing=0.1)]
    how_to = [question for question in seen if recognise(question)]
    assert len(how_to) > 1000 and not any(reserved(question) for question in how_to)
    assert all(reserved(row["prompt"]) for name in (*SAFETY, "XSTest") for row in benchmark(name, 100, seed=101))


def test_sums_are_right_and_operand_pairs_are_kept_apart() -> None:
    random = Random("sums")
    for kind in ("arithmetic", "word"):
        for held_out in (False, True):
            for _ in range(300):
                task = sums.draw(random, kind, benchmark=held_out)
                a, b = (int(word) for word in "".join(c if c.isdigit() else " " for c in task.question).split())
                assert sums.held_out(a, b) == sums.held_out(b, a) == held_out
                expected = a - b if any(w in task.question for w in ("-", " left?")) else a + b
                assert int(task.answer) == expected
                assert task.thought.endswith(f"so {expected}.")
    for _ in range(200):
        task = sums.drill(random)
        left, right = task.thought.rstrip(".").split("=")
        assert eval(left, {"__builtins__": {}}) == int(right) == int(task.answer)  # our own text, digits and one sign


@given(st.sampled_from(frames()), st.data())
def test_a_rendered_question_is_recognised(frame, data) -> None:
    act = data.draw(
        st.sampled_from(
            [Act(frame, filler, True) for filler in frame.harmful + frame.harmful_unseen]
            + [Act(frame, filler, False) for filler in frame.harmless + frame.harmless_unseen]
        )
    )
    question = render(act, data.draw(st.sampled_from(WORDINGS)), data.draw(st.sampled_from(("", "after work"))))
    assert recognise(question) == act
    assert recognise(f"  {question.upper()}\n") == act


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    act = recognise(text)
    assert act is None or act.filler in text.casefold() or act.filler.casefold() in " ".join(text.split()).casefold()


def test_unknown_names_are_errors() -> None:
    with pytest.raises(ValueError, match="unknown miniature source"):
        questions("Nowhere", 1, seed=0)
    with pytest.raises(ValueError, match="unknown miniature benchmark"):
        benchmark("Nowhere", 1, seed=0)
    with pytest.raises(ValueError, match="no more than"):
        benchmark("JBB", 10**5, seed=0)


def test_the_world_is_the_same_in_every_process() -> None:
    code = """if True:
        import json
        from star1.miniature.world import benchmark, questions
        print(json.dumps([questions("ALERT", 30, 5), benchmark("XSTest", 30, 5)]))
    """
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1] and json.loads(runs[0])[0] == questions("ALERT", 30, 5)
