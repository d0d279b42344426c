"""Rows, verdicts and questions of two states, against plain pandas and Python on random edits."""

import io
from collections import defaultdict
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from star1.evaluation.intervals import paired_change, share
from star1.lineage import flips
from star1.lineage.tables import compare
from tests.lineage.repositories import reply, table

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("category", pa.list_(pa.string())),
        ("score", pa.struct([("safe", pa.int64()), ("why", pa.list_(pa.string()))])),
        ("value", pa.float64()),
    ]
)
WORDS = st.sampled_from(["", "a", "ab", "ä"])
LISTS = st.none() | st.lists(st.none() | WORDS, max_size=2)
ROW = st.fixed_dictionaries(
    {
        "id": st.sampled_from("123456"),
        "source": WORDS,
        "category": LISTS,
        "score": st.none() | st.fixed_dictionaries({"safe": st.none() | st.integers(0, 1), "why": LISTS}),
        "value": st.none() | st.sampled_from([0.0, 1.5, float("nan")]),
    }
)
ROWS = st.lists(ROW, max_size=9)


def opened(rows: list[dict[str, Any]], schema: pa.Schema | None = None) -> pq.ParquetFile:
    """Return rows as an open parquet file."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema) if schema else table(rows), buffer)
    return pq.ParquetFile(io.BytesIO(buffer.getvalue()))


def plain(
    old: list[dict[str, Any]], new: list[dict[str, Any]], keys: list[str]
) -> tuple[int, int, int, dict[str, int]]:
    """Return (added, removed, changed, columns) by a merge of pandas and a loop over its rows."""
    frames = []
    for rows in (old, new):
        frame = pd.DataFrame(rows, columns=SCHEMA.names, dtype=object)
        frames.append(frame.assign(copy=frame.groupby(keys).cumcount()))
    both = frames[0].merge(frames[1], on=[*keys, "copy"], how="outer", indicator=True)
    pairs = both[both["_merge"] == "both"]
    columns = {}
    changed = set()
    for name in set(SCHEMA.names) - set(keys):
        cells = zip(pairs.index, pairs[f"{name}_x"], pairs[f"{name}_y"], strict=True)
        unlike = [i for i, one, other in cells if one != other and (one == one or other == other)]  # NaN is NaN
        changed.update(unlike)
        if unlike:
            columns[name] = len(unlike)
    return (
        int((both["_merge"] == "right_only").sum()),
        int((both["_merge"] == "left_only").sum()),
        len(changed),
        columns,
    )


@settings(max_examples=60)
@given(old=ROWS, new=ROWS, keys=st.sampled_from([["id"], ["id", "source"]]))
def test_counts_are_those_of_pandas(old: list[dict[str, Any]], new: list[dict[str, Any]], keys: list[str]) -> None:
    moved = compare(opened(old, SCHEMA), opened(new, SCHEMA), tuple(keys))
    counts = len(moved.added), len(moved.removed), len(moved.changed), moved.columns
    assert counts == plain(old, new, keys)
    assert moved.rows == (len(old), len(new))


def test_a_changed_schema_is_named() -> None:
    old = opened([{"id": "1", "sample": 0, "gone": "x", "same": "a"}])
    new = opened([{"id": "1", "sample": 0, "fresh": "x", "same": "b"}])
    moved = compare(old, new, ("id",))
    assert moved.schema == ["fresh is new", "gone is gone"]
    assert moved.columns == {"same": 1}
    other = opened([{"id": "1", "sample": 0, "gone": 1.5, "same": "a"}])
    assert compare(old, other, ("id",)).schema == ["gone was string, is double"]
    lost = compare(old, new, ("id", "gone"))
    assert lost.schema[-1] == "rows cannot be matched without gone"
    assert (len(lost.added), len(lost.removed), len(lost.changed)) == (0, 0, 0)


VERDICTS = st.dictionaries(
    st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 2)),
    st.sampled_from(["correct", "nearly", "wrong"]),
    min_size=1,
)


def test_figures_are_those_of_the_statistics() -> None:
    @settings(max_examples=25)
    @given(old=VERDICTS, new=VERDICTS)
    def check(old: dict[tuple[str, int], str], new: dict[tuple[str, int], str]) -> None:
        replies = [
            [reply(prompt, verdict, sample) for (prompt, sample), verdict in said.items()] for said in (old, new)
        ]
        [entry], flipped = flips.compared(opened(replies[0]), opened(replies[1]), "base")
        means: list[dict[str, list[bool]]] = []
        for said in (old, new):
            means.append(defaultdict(list))
            for (prompt, _), verdict in said.items():
                means[-1][prompt].append(verdict != "wrong")
        both = [prompt for prompt in means[0] if prompt in means[1]]
        x, y = ([sum(mean[prompt]) / len(mean[prompt]) for prompt in both] for mean in means)
        assert entry["prompts"] == len(both)
        assert entry["only"] == (len(means[0]) - len(both), len(means[1]) - len(both))
        assert entry["change"] == pytest.approx(paired_change(y, x))
        for side, of_prompt in zip(("old", "new"), means, strict=True):  # as the evaluation measures it
            counts = [[sum(of_prompt[prompt]) for prompt in both], [len(of_prompt[prompt]) for prompt in both]]
            assert entry[side] == pytest.approx(share(*counts))
        moved = {key for key in old.keys() & new.keys() if old[key] != new[key]}
        assert {(flip["prompt_id"], flip["sample"]) for flip in flipped} == moved
        for flip in flipped:
            key = flip["prompt_id"], flip["sample"]
            for side, verdicts in (("old", old), ("new", new)):
                assert flip[side]["verdict"] == verdicts[key]
                assert flip[side]["answer"] == f"{key[0]}, sample {key[1]}: {verdicts[key]}"
            lost, gained = old[key] != "wrong", new[key] != "wrong"
            assert flip["kind"] == ("other" if lost == gained else "lost" if lost else "gained")

    check()


def test_an_edited_prompt_is_another_prompt() -> None:
    old = [reply("1", "correct"), reply("2", "correct")]
    new = [reply("1", "wrong"), reply("2", "wrong", prompt="another text")]
    [entry], flipped = flips.compared(opened(old), opened(new), "base")
    assert (entry["prompts"], entry["only"]) == (1, (1, 1))
    assert [flip["prompt_id"] for flip in flipped] == ["1"]


def test_judgements_of_an_older_layout_are_said() -> None:
    older = [{name: value for name, value in reply("1", "correct").items() if name != "success"}]
    with pytest.raises(KeyError, match="success"):
        flips.compared(opened(older), opened([reply("1", "wrong")]), "base")


def test_a_verdict_that_counts_no_more_is_lost() -> None:
    """As after an edit of the words that count."""
    old = [reply("1", "nearly"), reply("2", "correct"), reply("3", "wrong"), reply("4", "wrong")]
    new = [reply("1", "nearly", success=False), reply("2", "correct"), reply("3", "garbled"), reply("4", "wrong")]
    [entry], flipped = flips.compared(opened(old), opened(new), "base")
    assert entry["change"]["value"] == -25.0
    assert {kind: entry[kind] for kind in ("gained", "lost", "other")} == {"gained": 0, "lost": 1, "other": 1}
    assert [(flip["prompt_id"], flip["kind"]) for flip in flipped] == [("1", "lost"), ("3", "other")]
