"""Building entries, files and the real files' folder for the tests of the readers."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from star1.errors import UserError
from star1.sources.entries import BenchmarkEntry, SourceEntry
from star1.sources.read import read_benchmark, read_source

MAX_CHARS = 10_000


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., tuple[pd.DataFrame, pd.DataFrame]]:
    """Return a function that reads a source called S, its entry given as keywords, below tmp_path."""

    def read(**keys: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
        return read_source("S", SourceEntry(**{"ngram": 8, **keys}), tmp_path, MAX_CHARS)

    return read


@pytest.fixture
def benchmark_rows(tmp_path: Path) -> Callable[..., pd.DataFrame]:
    """Return a function that reads a benchmark called B, its entry given as keywords, below tmp_path."""

    def read(**keys: Any) -> pd.DataFrame:
        return read_benchmark("B", BenchmarkEntry(**{"suite": "safety", **keys}), tmp_path, MAX_CHARS)

    return read


@pytest.fixture(scope="session")
def fails() -> Callable[..., Any]:
    """Return a function that expects a UserError of one line that begins with the key and says these words."""

    def expect(key: str, *says: str) -> Any:
        pattern = rf"\A{re.escape(key)}(?!\w)" + "".join(rf"(?=.*{re.escape(word)})" for word in says) + r"[^\n]*\Z"
        return pytest.raises(UserError, match=pattern)

    return expect
