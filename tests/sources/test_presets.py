"""The presets' entries: on real files where they are at hand, else on small ones in each data set's own layout."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from star1.sources.entries import BenchmarkEntry, SourceEntry
from star1.sources.read import read_benchmark, read_source
from tests.sources.layouts import BENCHMARKS, LAYOUTS

PRESETS = Path(__file__).parents[2] / "presets"
# The paper's n of each source's self n-gram step, in its order of sources.
NGRAMS = {
    "GPTFuzz": 8, "SimpleSafetyTests": 8, "MaliciousInstruct": 8, "QHarm": 8, "TDCRedTeaming": 8,
    "MaliciousInstructions": 8, "HarmfulQ": 8, "HExPHI": 8, "HarmBench": 8, "AttaQ": 7, "HarmfulQA": 7,
    "SafetyInstructions": 7, "UltraSafety": 7, "ALERT": 7, "SaladBench": 8, "PKUSafeRLHF": 6, "BeaverTails": 5,
    "wildjailbreak": 5,
}  # fmt: skip
REAL_ROWS = {
    "GPTFuzz": 100, "MaliciousInstruct": 100, "HarmfulQ": 200, "HarmfulQA": 1960, "SafetyInstructions": 2483,
    "ALERT": 14763,
}  # fmt: skip


def preset(name: str) -> dict[str, Any]:
    """Return a preset as plain mappings."""
    return YAML(typ="safe").load(PRESETS / name)


@pytest.fixture
def repository(tmp_path: Path, real_files: Path) -> Path:
    """A folder in which data/own is the folder of real files."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "own").symlink_to(real_files)
    return tmp_path


@pytest.mark.parametrize("name", REAL_ROWS)
def test_real_sources(repository: Path, name: str) -> None:
    kept, dropped = read_source(name, SourceEntry(**preset("real-files.yaml")["sources"][name]), repository, 10_000)
    assert len(kept) == REAL_ROWS[name] and dropped.empty
    assert kept.source_id.is_unique and not kept.question.str.contains("###").any()


@pytest.mark.parametrize(("name", "rows"), [("StrongREJECT", 313), ("SGBench", 1442)])
def test_real_benchmarks(repository: Path, name: str, rows: int) -> None:
    entry = BenchmarkEntry(**preset("real-files.yaml")["benchmarks"][name])
    assert len(read_benchmark(name, entry, repository, 10_000)) == rows


def test_real_reasoning_files_through_the_papers_columns(repository: Path) -> None:
    for name, file, rows in (("AIME24", "aime24", 30), ("MATH500", "math500", 500)):
        keys = preset("paper.yaml")["benchmarks"][name]
        for key in ("dataset", "revision", "splits"):
            del keys[key]
        entry = BenchmarkEntry(**{**keys, "reader": "jsonl", "path": f"data/own/benchmarks/{file}.jsonl"})
        read = read_benchmark(name, entry, repository, 10_000)
        assert len(read) == rows and read.answer.map(len).min() >= 1


def test_the_paper_preset_is_the_papers_table() -> None:
    paper = preset("paper.yaml")
    assert paper["collect"]["order"] == list(NGRAMS) == list(paper["sources"])
    assert {name: SourceEntry(**entry).ngram for name, entry in paper["sources"].items()} == NGRAMS
    for entry in paper["benchmarks"].values():
        BenchmarkEntry(**entry)
    assert {n for names in paper["deduplicate"]["against"].values() for n in names} <= set(paper["benchmarks"])
    moving = re.compile(r"/(?:main|master|HEAD)/")
    entries = {**paper["sources"], **paper["benchmarks"]}
    urls = {
        name: entry["url"] if isinstance(entry["url"], list) else [entry["url"]]
        for name, entry in entries.items()
        if "url" in entry
    }
    assert [name for name, some in urls.items() if any(map(moving.search, some))] == ["TDCRedTeaming"]


def laid_out(root: Path, keys: dict[str, Any], files: dict[str, bytes]) -> dict[str, Any]:
    """Write the files below root/data/mirror; return the keys without the pins of files that ours are not."""
    urls = keys.get("url", [])
    urls = urls if isinstance(urls, list) else [urls]
    for name, body in files.items():
        if name.startswith("{url"):
            name = urls[int(name[4:-1] or 0)].removeprefix("https://")
        path = root / "data" / "mirror" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return {key: value for key, value in keys.items() if key != "sha256"}


def test_every_source_has_a_layout() -> None:
    assert list(LAYOUTS) == list(NGRAMS)


@pytest.mark.parametrize("name", LAYOUTS)
def test_paper_sources_in_their_published_layout(tmp_path: Path, name: str) -> None:
    files, questions = LAYOUTS[name]
    entry = SourceEntry(**laid_out(tmp_path, preset("paper.yaml")["sources"][name], files))
    kept, dropped = read_source(name, entry, tmp_path, 10_000)
    assert kept.question.tolist() == questions and kept.source_id.is_unique and dropped.empty


def test_wildchat_is_the_best_hundred_of_each_category(tmp_path: Path) -> None:
    keys = laid_out(tmp_path, preset("paper.yaml")["benchmarks"]["WildChat"], BENCHMARKS["WildChat"][0])
    rows = read_benchmark("WildChat", BenchmarkEntry(**keys), tmp_path, 10_000)
    assert rows["category"].value_counts().to_dict() == {"hate": 100, "violence": 2, "self-harm/intent": 1}
    assert rows["prompt"].tolist() == [*(f"plain {n}" for n in range(149, 49, -1)), "third", "second", "first"]
    assert rows["prompt_id"].is_unique


@pytest.mark.parametrize("name", BENCHMARKS)
def test_paper_benchmarks_in_their_published_layout(tmp_path: Path, name: str) -> None:
    files, right = BENCHMARKS[name]
    entry = BenchmarkEntry(**laid_out(tmp_path, preset("paper.yaml")["benchmarks"][name], files))
    rows = read_benchmark(name, entry, tmp_path, 10_000)
    assert len(rows) == {"WildJailbreak": 250, "WildChat": 103}.get(name, 1)
    assert all(right(row) for row in rows.to_numpy().tolist())
