"""The search for raw rows against hashing every one of them, on what the real deduplication writes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from star1.artifacts import ARTIFACTS, to_table, write_table
from star1.dedup.steps import deduplicate
from star1.lineage.pool import Place, places, read_pool
from star1.text import question_id
from tests.dedup.test_steps import SOURCES, Settings, encode, frame, prompts


@pytest.mark.parametrize("seed", range(3))
def test_every_row_is_found_where_it_stands(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    texts = [" ".join(f"w{word}" for word in rng.integers(30, size=rng.integers(1, 7))) for _ in range(150)]
    # Sources of 0 to 200 rows, with copies that are the same to the letter and others that are not.
    drawn = [
        (str(source), texts[number])
        for source, number in zip(rng.choice(list(SOURCES)[1:], 200), rng.integers(150, size=200), strict=True)
    ]
    rows = frame([(source, text.upper() if rng.random() < 0.3 else text) for source, text in drawn])
    kept, left = deduplicate(rows, prompts([texts[0]]), SOURCES, Settings(4, 0.8, 0.9), encode)
    assert 40 < len(kept) < 160
    raw = rows.assign(source_id=[str(number) for number in range(len(rows))])
    expected: dict[str, list[Place]] = {}
    for row in raw.itertuples():
        expected.setdefault(question_id(row.question), []).append(Place(row.source, row.source_id, row.question))
    for source, of_source in raw.groupby("source", sort=False):
        put(tmp_path, "raw", of_source, source=str(source))
    hashed = read_pool(tmp_path, list(SOURCES))
    assert not hashed.deduplicated
    put(tmp_path, "collection", kept)
    put(tmp_path, "lineage", left, stage="deduplicate")
    pool = read_pool(tmp_path, list(SOURCES))
    assert pool.deduplicated
    for row_id, standing in expected.items():
        assert list(places(pool, row_id)) == standing
        assert list(places(hashed, row_id)) == standing
    assert [*places(pool, "0" * 16), *places(hashed, "0" * 16)] == []


def put(root: Path, artifact: str, rows: pd.DataFrame, **keys: str) -> None:
    write_table(to_table(ARTIFACTS[artifact], rows), root / ARTIFACTS[artifact].at(**keys))
