"""Presets: partial params laid over params.yaml, checked before anything is written."""

import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo
from dvc.utils.serialize import modify_yaml

from star1.checks import check_repository
from star1.cli import estimate
from star1.errors import UserError
from star1.params import load
from star1.pipeline.presets import available, lay_over
from star1.report.paper import BENCHMARKS
from tests.conftest import TEXTS, copy_repository
from tests.imports import ROOT

TEACHERS = ["teachers-azure", "teachers-nim", "teachers-vllm"]
SIZES = ["paper-7B", "paper-8B", "paper-14B", "paper-32B"]
TABLES = ["ablation-data", "ablation-no-think", "over-refusal", "k-sweep", "from-published"]
OVER_PAPER = ["evaluate-only", *SIZES, *TABLES, *TEACHERS]
# What is laid over params.yaml, one after the other.
STACKS = [["paper"], ["real-files"], *(["paper", name] for name in OVER_PAPER)]
STACKS += [["paper", "paper-7B", name] for name in TABLES]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the params, the presets and every file that the presets name."""
    for name in ("params.yaml", "presets", "configs", "data/mirror", "src/star1/miniature/world", *TEXTS):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    return tmp_path


def test_the_paper_preset_gives_the_paper_s_numbers(root: Path) -> None:
    lay_over(root / "params.yaml", root / "presets", "paper")
    params = load(root / "params.yaml")
    assert len(params.sources) == 18 == len(params.collect.order)
    assert (params.select.k, params.select.full_score, params.benign.full_score) == (1000, 10, 5)
    settings = params.deduplicate
    assert (settings.benchmark_ngram, settings.tfidf_threshold, settings.embedding_threshold) == (8, 0.6, 0.7)
    assert (params.train.learning_rate, params.train.batch, params.train.seed) == (1e-5, 128, 2002)
    assert (params.train.warmup, params.train.weight_decay, params.train.max_tokens) == (0.05, 1e-4, 8192)
    assert {run.epochs for run in params.runs.values()} == {5}
    reasoner = params.llm.reasoner
    assert (reasoner.temperature, reasoner.top_p, reasoner.max_tokens) == (0.6, 0.7, 8000)
    tasks = {name: params.benchmarks[name].task for names in params.suites.values() for name in names}
    assert [tasks[name] for name in params.suites["safety"]] == ["guard"] * len(params.suites["safety"])
    assert params.llm.guard.model.startswith("meta-llama/Llama-Guard-3-8B@")
    assert (tasks["XSTest"], params.llm.judge.model) == ("refusal_classes", "gpt-4o-2024-11-20")
    limits = {name: params.benchmarks[name].max_tokens for name in params.suites["reasoning"]}
    assert limits == {"MMLU-Pro": 4096, "AIME24": 16384, "MATH500": 16384, "GPQA-Diamond": 32768, "HumanEval": 16384}
    assert params.evaluate.protocols["paper"].extra == {"repetition_penalty": 1.2}


@pytest.mark.parametrize("name", TEACHERS)
def test_teachers_may_be_laid_over_the_paper(root: Path, name: str) -> None:
    lay_over(root / "params.yaml", root / "presets", "paper")
    before = load(root / "params.yaml")
    lay_over(root / "params.yaml", root / "presets", name)
    params = load(root / "params.yaml")
    assert params.llm.reasoner.temperature == before.llm.reasoner.temperature
    assert params.llm != before.llm
    assert params.sending.of("reasoner").retries == before.sending.of("reasoner").retries


@pytest.mark.parametrize("name", [*OVER_PAPER, "real-files"])
def test_paper_laid_over_another_preset_is_the_paper_again(root: Path, name: str) -> None:
    lay_over(root / "params.yaml", root / "presets", "paper")
    paper = load(root / "params.yaml")
    for each in (name, "paper"):
        lay_over(root / "params.yaml", root / "presets", each)
    assert load(root / "params.yaml") == paper


def test_comments_stay_and_entries_are_replaced_whole(root: Path) -> None:
    lay_over(root / "params.yaml", root / "presets", "paper")
    text = (root / "params.yaml").read_text()
    assert "# rows of STAR-1 (1000)" in text
    assert "reader: miniature" not in text


def test_a_preset_that_does_not_fit_changes_nothing(root: Path) -> None:
    before = (root / "params.yaml").read_bytes()
    (root / "presets/odd.yaml").write_text("select: {k: -5}\n")
    with pytest.raises(UserError, match=r"select\.k: Input should be greater than 0"):
        lay_over(root / "params.yaml", root / "presets", "odd")
    assert (root / "params.yaml").read_bytes() == before


def test_a_preset_laid_over_the_wrong_one_says_where_to_look(root: Path) -> None:
    with pytest.raises(UserError) as caught:
        lay_over(root / "params.yaml", root / "presets", "over-refusal")
    mistake, advice = str(caught.value).splitlines()
    assert "params.yaml: evaluate.models: 'r1-distill' is not one of the bases and runs: miniature, star1" in mistake
    assert advice == (
        "preset over-refusal: params.yaml is as it was, since these would be its mistakes; "
        "the first lines of presets/over-refusal.yaml say what it is laid over."
    )


@pytest.mark.parametrize("text", [b"", b"- a\n", b"a: [1\n", b"a: 1\na: 2\n", b"a: \xff\n", b"a: \x00\n"])
@pytest.mark.parametrize("name", ["presets/odd.yaml", "params.yaml"])
def test_a_file_that_is_no_mapping_is_told_in_a_line(tmp_path: Path, name: str, text: bytes) -> None:
    (tmp_path / "presets").mkdir()
    for file in ("presets/odd.yaml", "params.yaml"):
        (tmp_path / file).write_bytes(text if file == name else b"select: {k: 5}\n")
    with pytest.raises(UserError, match=rf"^[^\n]*{name}: (not valid YAML|must be a mapping)[^\n]*$"):
        lay_over(tmp_path / "params.yaml", tmp_path / "presets", "odd")
    assert (tmp_path / name).read_bytes() == text


def test_an_unknown_preset_lists_those_there_are(root: Path) -> None:
    assert available(root / "presets") == sorted(["paper", "real-files", *OVER_PAPER])
    with pytest.raises(UserError, match="no preset 'moon'; there are ablation-data, ablation-no-think, evaluate-only"):
        lay_over(root / "params.yaml", root / "presets", "moon")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with DVC in which nothing is built."""
    return copy_repository(tmp_path_factory.mktemp("presets") / "repository")


@pytest.mark.parametrize("names", STACKS, ids="+".join)
def test_every_preset_passes_check_and_fits_the_graph(
    checkout: Path, names: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(ROOT / "params.yaml", checkout)
    for name in names:
        lay_over(checkout / "params.yaml", checkout / "presets", name)
    params = load(checkout / "params.yaml")
    check_repository(params, checkout)
    with Repo(str(checkout)) as repo:
        stages = {stage.name for stage in repo.index.stages}
    assert {"check", "deduplicate", "report", *(f"judge@{model}" for model in params.evaluate.models)} <= stages
    assert {f"train@{name}" for name in params.runs} | {f"base@{name}" for name in params.bases} <= stages
    reported_names = {name for names in BENCHMARKS.values() for name in names}
    if names == ["paper"]:
        assert set(params.suites["safety"] + params.suites["reasoning"]) <= reported_names, "the page lays them beside"
    assert set(params.report.notes) <= {*params.bases, *params.runs}

    # An estimate needs neither the network nor anything built.
    def refuse(*_: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr("socket.getaddrinfo", refuse)
    monkeypatch.setenv("STAR1_HOME", str(checkout / "home"))
    monkeypatch.chdir(checkout)
    estimate([])
    told = capsys.readouterr().out
    assert all(f"generate@{model}" in told for model in params.evaluate.models) and "rewrite" in told
    estimate(["train"])
    told = capsys.readouterr().out
    assert all(f"models/{run.base}" in told for run in params.runs.values())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("select.k", 250),
        ("train.learning_rate", 0.001),
        ("evaluate.protocol", "recommended"),
        ("train.gradient_checkpointing", True),
        ("sending.budget_usd", 5),
        ("runs.star1.sample", 100),
        ("report.paper_size", None),
    ],
)
def test_dvc_changes_one_line_of_params(tmp_path: Path, key: str, value: object) -> None:
    path = tmp_path / "params.yaml"
    before = shutil.copy(ROOT / "params.yaml", path).read_text().splitlines()
    with modify_yaml(path) as params:
        *sections, last = key.split(".")
        node = params
        for section in sections:
            node = node[section]
        node[last] = value
    after = path.read_text().splitlines()
    assert len(before) == len(after), "params.yaml is not as DVC writes it: lay a preset over it, and take it back"
    changed = [pair for pair in zip(before, after, strict=True) if pair[0] != pair[1]]
    assert len(changed) == (value is not None)


def test_a_laid_over_preset_is_as_dvc_writes_it(root: Path) -> None:
    lay_over(root / "params.yaml", root / "presets", "paper")
    before = (root / "params.yaml").read_text()
    with modify_yaml(root / "params.yaml"):
        pass
    assert (root / "params.yaml").read_text() == before
