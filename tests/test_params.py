"""params.yaml: each mistake gives one clear line, and a stage sees what it declares."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from star1.checks import check_repository
from star1.errors import UserError
from star1.llm.keys import missing_keys
from star1.params import check, load
from star1.pipeline.view import UndeclaredParam, view
from tests.imports import ROOT

PATH = ROOT / "params.yaml"


def put(raw: dict[str, Any], key: str, value: Any) -> None:
    *sections, last = key.split(".")
    for section in sections:
        raw = raw[section]
    raw[last] = value


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("select.k", 0, "select.k: Input should be greater than 0 (it is '0')"),
        ("select.k", "many", "select.k: Input should be a valid integer"),
        ("select.k", None, "select.k: Input should be a valid integer"),
        ("select.k", 2.5, "select.k: Input should be a valid integer"),
        ("categories", ["Bad Manners"], "categories: 'Bad Manners' has no policy; allowed are Harassment / Hate"),
        ("deduplicate.tfidf_threshold", 1.5, "deduplicate.tfidf_threshold: Input should be less than or equal to 1"),
        ("bases.miniature.source", "moon", "bases.miniature: Input tag 'moon' found using 'source' does not match any"),
        ("bases.miniature.heads", 3, "heads: 3 heads do not divide hidden 128"),
        ("bases.miniature.seed", 2**32, "bases.miniature.miniature.seed: Input should be less than 4294967296"),
        ("sources.ALERT.path", "data/mirror/absent.csv", "neither git nor DVC keeps data/mirror/absent.csv"),
        ("sources.ALERT.reader", "xml", "sources.ALERT.reader: Input should be 'csv'"),
        ("sources.ALERT.rows", -1, "sources.ALERT.rows: Input should be greater than 0"),
        ("runs.star1.launch", "warp", "runs.star1: launch: there is no configs/warp.yaml"),
        ("runs.star1.train", {"batch": 12}, "runs.star1: train.batch 12 does not divide by the 8 processes of launch"),
        ("runs.star1.train", {"speed": 12}, "runs.star1.train: speed: no key of train; those are seed, threads"),
        ("runs.star1.train", {"batch": -1}, "runs.star1.train.batch: Input should be greater than 0"),
        ("runs.star1.base", "moon", "runs.star1.base: 'moon' is not one of the bases: miniature"),
        ("runs.miniature", "star1", "runs.miniature: a base has this name too"),
        ("runs.v1_1.1", "star1", "should match pattern"),
        ("evaluate.models", ["miniature", "star2"], "evaluate.models: 'star2' is not one of the bases and runs: min"),
        ("evaluate.models", ["star1"], "evaluate.models: star1 is compared with its base miniature, which is not in"),
        ("evaluate.models", [], "evaluate.models: List should have at least 1 item"),
        ("evaluate.protocol", "loose", "evaluate: protocol: 'loose' is not one of paper, recommended"),
        ("evaluate.protocols.paper.samples", 4, "evaluate.protocols.paper: samples: 4 greedy replies to one prompt"),
        ("evaluate.base_url", "htp://x", "evaluate.base_url: must be simulator, transformers, vllm, or a URL"),
        ("llm.scorer.base_url", "http://x:99999/v1", "llm.scorer.base_url: must be simulator, transformers, vllm, or"),
        ("llm.scorer.max_tokens", None, "llm.scorer: max_tokens: set it, or extra.max_completion_tokens"),
        ("llm.scorer.extra", {"user": date(2024, 1, 1)}, "llm.scorer.extra: no JSON (Object of type date is not JSON"),
        ("llm.scorer.extra", {"logit_bias": {1: float("nan")}}, "llm.scorer.extra: no JSON (Out of range float"),
        ("llm.scorer.extra", {"n": 3}, "llm.scorer.extra: n is not for extra: star1 itself sets model, messages, max"),
        ("llm.scorer.extra", {"max_tokens": None}, "llm.scorer.extra: max_tokens is not for extra"),
        (
            "llm.scorer.extra",
            {"max_completion_tokens": 9},
            "llm.scorer: extra.max_completion_tokens: set max_tokens to",
        ),
        ("evaluate.protocols.paper.extra", {"stream": True}, "evaluate.protocols.paper.extra: stream is not for extra"),
        ("evaluate.protocols.paper.extra", {"seed": 1}, "evaluate.protocols.paper: extra: seed is set for each sample"),
        ("sending.roles.guard", {"speed": 1}, "sending: roles.guard.speed: Extra inputs are not permitted"),
        ("benchmarks.JBB.task", None, "benchmarks.JBB: it is evaluated, so it needs task and max_tokens"),
        ("benchmarks.JBB.task", "moon", "benchmarks.JBB.task: there is no task 'moon'; those of evaluation/tasks are"),
        ("benchmarks.JBB.task", "guard", "llm.guard.base_url: the simulator plays no judge, and benchmarks.JBB asks"),
        ("suites.safety", ["JBB"], "benchmarks.WildChat: it is in no list of suites and none of deduplicate.against"),
        ("suites.safety", ["XSTest"], "suites.safety: 'XSTest' is not one of the benchmarks of suite safety"),
        ("collect.order", ["GPTFuzz", "GPTFuzz"], "collect.order: a name stands twice"),
        ("collect.order", ["GPTFuzz"], "stands under sources but not here"),
        ("categories", [], "categories: List should have at least 1 item"),
        ("llm.scorer.base_url", "", "llm.scorer.base_url: must be simulator, transformers, vllm, or a URL"),
        ("llm.scorer.base_url", "htp://x/v1", "llm.scorer.base_url: must be simulator, transformers, vllm, or"),
        ("llm.scorer.base_url", "https:///v1", "llm.scorer.base_url: must be simulator, transformers, vllm, or"),
        *(
            ("llm.scorer.base_url", url, "llm.scorer.base_url: must be simulator, transformers, vllm, or a URL")
            for url in (
                "https://host/v1\n",
                "http://localhost:8000/v1 ",
                "http://ho st/v1",
                "http://\u200bhost/v1",
                "http://a..b/v1",
                "http://" + "x" * 64 + ".com/v1",
                "http://\xe9" + "x" * 70 + "/v1",
                "http://ho\tst/v1",
            )
        ),
        ("train.threads", 2**31, "train.threads: Input should be less than 2147483648"),
        ("deduplicate.benchmark_ngram", 10**30, "deduplicate.benchmark_ngram: Input should be less than 2147483648"),
        ("runs." + "x" * 101, "star1", "String should have at most 100 characters"),
        ("train.seed", 2**32, "train.seed: Input should be less than 4294967296"),
        ("sources.ALERT.seed", 2**32, "sources.ALERT.seed: Input should be less than 4294967296"),
        ("select.klingon", 3, "select.klingon: Extra inputs are not permitted"),
        ("runs.star1.think", "loudly", "runs.star1.think: Input should be 'full', 'empty' or 'none'"),
    ],
)
def test_a_mistake_is_told_in_one_line(raw_params: dict[str, Any], key: str, value: Any, told: str) -> None:
    if value == {"batch": 12}:
        put(raw_params, "runs.star1.launch", "zero3")
    if value == "star1":  # a name for a run
        name = key.partition(".")[2]
        raw_params["runs"][name] = raw_params["runs"]["star1"]
    else:
        put(raw_params, key, value)
    with pytest.raises(UserError) as caught:
        check_repository(check(raw_params, PATH), ROOT)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "params.yaml: " in str(caught.value)


@pytest.mark.parametrize("section", ["sources", "benchmarks", "runs"])
def test_a_name_has_no_dot(raw_params: dict[str, Any], section: str) -> None:
    raw_params[section]["star1-v1.1"] = next(iter(raw_params[section].values()))
    with pytest.raises(UserError, match=rf"{section}\.star1-v1\.1.*should match pattern"):
        check(raw_params, PATH)


def test_missing_keys_are_named_for_the_roles_that_are_asked(
    raw_params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("A_KEY", raising=False)
    for role in ("scorer", "judge"):
        put(raw_params, f"llm.{role}.base_url", "https://api.example/v1")
        raw_params["sending"]["roles"][role] = {"key_variable": "A_KEY"}
    raw_params["sending"]["roles"]["reasoner"] = {"key_variable": "A_KEY"}  # asked of the simulator, which needs none
    line = "llm.{}: set the environment variable A_KEY to the key for https://api.example/v1."
    assert missing_keys(check(raw_params, PATH)) == [line.format("scorer")]
    put(raw_params, "benchmarks.XSTest.task", "refusal_classes")
    assert missing_keys(check(raw_params, PATH)) == [line.format("scorer"), line.format("judge")]
    put(raw_params, "benign.rewrite", False)
    raw_params["runs"] = {"star1": raw_params["runs"]["star1"]}
    raw_params["evaluate"]["models"] = ["miniature", "star1"]
    assert missing_keys(check(raw_params, PATH)) == [line.format("scorer"), line.format("judge")]
    raw_params["sources"], raw_params["collect"]["order"] = {}, []
    raw_params["published"] = {"star-1": {"reader": "json", "path": "data/own/STAR-1.json"}}
    assert missing_keys(check(raw_params, PATH)) == [line.format("judge")]
    put(raw_params, "evaluate.base_url", "https://api.example/v1")
    raw_params["sending"]["roles"]["model"] = {"key_variable": "A_KEY"}
    of_models = line.format("x").replace("llm.x", "evaluate")
    assert missing_keys(check(raw_params, PATH)) == [line.format("judge"), of_models]
    monkeypatch.setenv("A_KEY", "sk-1")
    assert missing_keys(check(raw_params, PATH)) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:80/v1/",
        "http://[::1]:8000/v1",
        "https://my_host.x-y.com./v1?version=1",
        "http://xn--9ca.fr/v1",
    ],
)
def test_addresses_that_may_be_asked(raw_params: dict[str, Any], url: str) -> None:
    put(raw_params, "llm.scorer.base_url", url)
    assert check(raw_params, PATH).llm.scorer.base_url == url


def test_every_missing_knob_is_named(raw_params: dict[str, Any]) -> None:
    del raw_params["select"]["k"], raw_params["train"]["seed"]
    with pytest.raises(UserError) as caught:
        check(raw_params, PATH)
    assert [line.split(": ")[1:] for line in str(caught.value).splitlines()] == [
        ["select.k", "Field required"],
        ["train.seed", "Field required"],
    ]


def test_a_file_that_is_no_yaml(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("select: {k: [1\n")
    with pytest.raises(UserError, match="not valid YAML"):
        load(tmp_path / "params.yaml")
    with pytest.raises(UserError, match="no such file"):
        load(tmp_path / "other.yaml")


def test_a_view_holds_what_is_declared_and_nothing_else() -> None:
    params = view(load(PATH), ("select.k", "sources.ALERT", "llm.scorer"))
    assert params.select.k > 0
    assert params.sources["ALERT"].reader == "miniature"
    assert params.llm.scorer.model
    assert params.sending.of("scorer").concurrency > 0, "the sending side decides nothing and is open to all"
    for read in (
        lambda: params.select.full_score,
        lambda: params.train,
        lambda: params.llm.classifier,
        lambda: params.sources["GPTFuzz"],
    ):
        with pytest.raises((UndeclaredParam, KeyError)):
            read()


def test_a_whole_section_may_be_declared() -> None:
    assert view(load(PATH), ("select",)).select == load(PATH).select


def test_an_experiment_changes_its_own_line_alone(tmp_path: Path) -> None:
    """DVC rewrites params.yaml at each -S: lists in one line become blocks, and a comment behind a list is lost."""
    from dvc.utils.hydra import apply_overrides

    path, text = tmp_path / "params.yaml", (ROOT / "params.yaml").read_text()
    path.write_text(text)
    for k in (250, 400):
        apply_overrides(path, [f"select.k={k}"])
    assert path.read_text() == text.replace("\n  k: 500 ", "\n  k: 400 ")
