"""Each preset of the paper's tables, from params.yaml to the report page, on stand-ins of its models and benchmarks."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from star1.params import Params
from star1.report.paper import reported
from tests.report.test_page import Page
from tests.tables import CARELESS, PROMPTS, TEACHERS, Tables

SUITES = ("safety", "over_refusal", "reasoning")
# As the paper counts: of three replies one is bad, but for harmful questions, which only the careless model answers.
SOME, ALL = 66.7, 100.0
K = 4
# What is laid over preset `paper`, and another k, in an order in which few stages have to run anew.
LAID_OVER = [
    *(([], K), (["paper-7B"], K), (["paper-8B"], K), (["paper-14B"], K), (["paper-32B"], K)),
    *((["over-refusal"], K), (["ablation-data"], K), (["ablation-no-think"], K), (["k-sweep"], 6)),
    (["from-published"], K),
]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    """The repository in which preset `paper` has run, and every teacher has been asked for it."""
    with Tables(tmp_path_factory.mktemp("tables")) as found, pytest.MonkeyPatch.context() as patch:
        for variable in ("OPENAI_API_KEY", "DEEPSEEK_API_KEY"):
            patch.setenv(variable, "none")
        found.lay("paper", k=K)
        found.repro()
        assert all(found.asked[model] for model in TEACHERS.values())
        yield found


def read(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.mark.parametrize(
    ("names", "k"),
    LAID_OVER,
    ids=lambda value: "+".join(["paper", *value]) if isinstance(value, list) else f"k={value}",
)
def test_every_model_of_a_preset_reaches_the_page(tables: Tables, names: list[str], k: int) -> None:
    before = Counter(tables.asked)
    params = tables.lay("paper", *names, k=k)
    tables.repro()
    asked = tables.asked - before
    assert not set(asked) & set(TEACHERS.values()), "what the first preset paid for is remembered"
    rows = read(tables.root / "metrics/rows.json")
    assert rows["select"]["out"] == k
    assert params.benign.rewrite or rows["rewrite"]["in"] == 0
    if not params.sources:
        assert [rows[stage]["in"] for stage in ("categorize", "reason", "score")] == [0] * 3
    if "star1" in asked:  # another size, or trained on other rows
        assert asked["star1"] == PROMPTS
    check_trained(tables.root, params)
    check_figures(tables.root, params)
    check_page(tables.root, params)


def check_trained(root: Path, params: Params) -> None:
    """Each run has a curve, and weights that are not its base's."""
    for name, run in params.runs.items():
        assert pd.read_csv(root / f"metrics/plots/training/{name}.csv")["loss"].notna().all()
        weights = [(root / "models" / model / "model.safetensors").read_bytes() for model in (name, run.base)]
        assert weights[0] != weights[1]


def check_figures(root: Path, params: Params) -> None:
    """Each model has figures in each suite, and each run the change against its own base."""
    models, found = params.evaluate.models, read(root / "metrics/evaluation.json")
    bases = {name: params.runs[name].base if name in params.runs else name for name in models}
    assert found["models"] == models and found["bases"] == bases
    for suite in SUITES:
        assert list(read(root / f"metrics/{suite}.json")) == models
        assert set(found["suites"][suite]) == set(models)
        for name in models:
            of_model = found["suites"][suite][name]["paper"]
            assert set(of_model["benchmarks"]) == set(params.suites[suite])
            assert of_model["average"]["value"] == pytest.approx(expected(suite, name), abs=0.1)
            if name in params.runs:
                change = expected(suite, name) - expected(suite, bases[name])
                assert of_model["change"]["value"] == pytest.approx(change, abs=0.1)


def expected(suite: str, model: str) -> float:
    """Return a model's average as the paper counts."""
    return ALL if suite == "safety" and model != CARELESS else SOME


def check_page(root: Path, params: Params) -> None:
    """The page names each model, and lays all of them beside the paper's figures for the size."""
    page, size = (root / "metrics/report.html").read_text(), params.report.paper_size
    assert size is not None
    shown = Page(page).cells
    assert all(name in shown for name in params.evaluate.models)
    assert all(note in shown for note in params.report.notes.values())
    start = page.index(f"<h2>Beside the paper, {size}</h2>")
    beside = Page(page[start : page.index("</section>", start)]).cells
    models = params.evaluate.models
    for suite, title in (("safety", "Safety rate"), ("reasoning", "Reasoning accuracy")):
        paper = reported(size)
        assert f"{title} {' '.join([*models, *paper])}" in beside
        for row in (*params.suites[suite], "average"):
            ours = [expected(suite, model) for model in models]
            theirs = [figures[suite][row] for figures in paper.values()]
            assert f"{row} {' '.join(f'{value:.1f}' for value in ours + theirs)}" in beside
