"""The whole evaluation in one `dvc repro`: nine benchmarks and XSTest, two guards and a judge, under both protocols."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests import nine
from tests.conftest import edit_params, run
from tests.fault_server import FaultServer, running

SAMPLED = 2


def asked_of_model(server: FaultServer) -> int:
    """Return how often the model under evaluation was asked: its prompts alone end in what a benchmark asks."""
    return sum(count for text, count in server.came.items() if not nine.is_reply(text))


def test_nine_benchmarks_under_both_protocols(built: Path) -> None:
    with running(nine.server()) as server:

        def change(params: Any) -> None:
            nine.lay_out(built, params)
            for role, model in (("guard", "guard"), ("second_guard", "second"), ("judge", "judge")):
                params["llm"][role] |= {"base_url": server.url, "model": model}
            params["evaluate"] |= {
                "models": ["miniature"],
                "base_url": server.url,
                "second_judges": {"safety": "qwen3guard"},
            }
            params["evaluate"]["protocols"]["recommended"] |= {"samples": SAMPLED, "samples_of": {"AIME24": 4}}

        edit_params(built, change)
        run(built, "dvc", "repro", "evaluate")
        figures = json.loads((built / "metrics/evaluation.json").read_text())["suites"]
        for suite in ("safety", "reasoning", "over_refusal"):
            found = figures[suite]["miniature"]
            assert {name: part["value"] for name, part in found["benchmarks"].items()} == {
                name: pytest.approx(100 / 3, abs=1e-3) for name in found["benchmarks"]
            }, "good, bad, and good but cut off"
            paper = {name: part["value"] for name, part in found["paper"]["benchmarks"].items()}
            assert paper == {name: pytest.approx(200 / 3, abs=1e-3) for name in paper}, "to the paper, cut off is good"
        assert (
            len(figures["safety"]["miniature"]["benchmarks"]) + len(figures["reasoning"]["miniature"]["benchmarks"])
            == 9
        )
        second = figures["safety"]["miniature"]["second"]
        assert second["agreement"]["agreed"]["value"] == 100 and second["agreement"]["kappa"]["value"] == 1
        assert second["words"] == {"safe": {"controversial": 0, "safe": 4}, "unsafe": {"controversial": 4, "safe": 0}}
        assert set(figures["over_refusal"]["miniature"]["labels"]) == {"homonyms", "figures"}

        run(built, "dvc", "repro", "--single-item", "report")
        page = (built / "metrics/report.html").read_text()
        assert "GPQA-Diamond" in page and "by qwen3guard" in page and ">figures<" in page

        def sample(params: Any) -> None:
            params["evaluate"]["protocol"] = "recommended"

        generated, greedy = asked_of_model(server), (built / "metrics/evaluation.json").read_text()
        edit_params(built, sample)
        run(built, "dvc", "repro", "evaluate")
        replies = 9 * 3 * SAMPLED + 3 * 4  # nine with two samples, AIME24 with four
        assert asked_of_model(server) - generated == replies
        figures = json.loads((built / "metrics/evaluation.json").read_text())["suites"]["reasoning"]["miniature"]
        assert list(figures["benchmarks"]["AIME24"]["pass_at"]) == ["4"]
        assert all(part["pass_at"] for part in figures["benchmarks"].values())

        before = server.served
        edit_params(built, lambda params: params["evaluate"].update(protocol="paper"))
        run(built, "dvc", "repro", "evaluate")
        assert server.served == before, "both protocols are remembered"
        assert (built / "metrics/evaluation.json").read_text() == greedy
