"""What `dvc` prints of five models and three experiments fits a terminal of 120 columns.

The params, the metrics and the plots of the stage `evaluate` are the real ones; its program is one that takes no time.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.conftest import commit, run
from tests.imports import ROOT

WIDTH = 120
MODELS = ["miniature", "star1", "star1-benign", "star1-equal-steps", "star1-no-think"]
PROGRAM = """
import json
from pathlib import Path
from ruamel.yaml import YAML

params = YAML(typ="safe").load(Path("params.yaml"))
moved = params["select"]["k"] / 100 + params["train"]["seed"] % 7 + len(params["sources"])
Path("metrics/plots").mkdir(parents=True, exist_ok=True)
shares = {model: round(moved + 10.12 * number, 2) for number, model in enumerate(MODELS)} | {MODELS[0]: 0.0}
for suite in ("safety", "over_refusal", "reasoning"):
    Path(f"metrics/{suite}.json").write_text(json.dumps(shares))
bars = [{"suite": "safety", "benchmark": b, "model": m, "share": s, "low": s - 2, "high": s + 2}
        for b in ("JBB", "WildChat") for m, s in shares.items()]
Path("metrics/plots/benchmarks.json").write_text(json.dumps(bars))
outcomes = [{"label": "plain", "verdict": v, "order": n, "model": m, "share": share}
            for m, s in shares.items() for n, (v, share) in enumerate({"answered": 100 - s, "refused": s}.items())]
Path("metrics/plots/over_refusal.json").write_text(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state and three experiments: another k, another seed, one source less."""
    root = tmp_path_factory.mktemp("widths")
    shutil.copy(ROOT / "params.yaml", root)
    for command in ("git init -q", "dvc init -q"):
        run(root, *command.split())
    for name in ("config", "plots"):
        source = ROOT / ".dvc" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, root / ".dvc" / name)
    (root / "program.py").write_text(f"MODELS = {MODELS}\n{PROGRAM}")
    real = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]["evaluate"]
    stage = {"cmd": "python program.py", "deps": ["program.py", "params.yaml"], "params": ["select", "train"]}
    YAML().dump(
        {"stages": {"evaluate": stage | {part: real[part] for part in ("metrics", "plots")}}}, root / "dvc.yaml"
    )
    run(root, "dvc", "repro", "-q")
    commit(root)
    for name, change in (("k-250", "select.k=250"), ("seed-7", "train.seed=7"), ("less", "~sources.ALERT")):
        run(root, "dvc", "exp", "run", "-q", "--name", name, "-S", change)
        run(root, "git", "checkout", "-q", ".")
    run(root, "dvc", "exp", "apply", "-q", "k-250")
    return root


def shown_in_readme(beginning: str) -> list[str]:
    """Return the one command of the README that begins so, as words."""
    (line,) = re.findall(rf"^({re.escape(beginning)}.*?)(?:  #.*)?$", (ROOT / "README.md").read_text(), re.M)
    return [word.strip("'") for word in line.split()]


@pytest.mark.parametrize(
    ("command", "holds"),
    [
        ("dvc metrics show", [*MODELS, "metrics/safety.json"]),
        ("dvc metrics diff", ["star1-equal-steps", "-2.5"]),
        ("dvc exp diff", ["select.k", "500", "250", "star1-no-think"]),
        ("dvc exp diff less", ["select.k", "sources.ALERT.rows", "440"]),
    ],
)
def test_a_table_fits(repository: Path, command: str, holds: list[str]) -> None:
    printed = run(repository, *command.split())
    assert max(map(len, printed.splitlines())) <= WIDTH
    assert [word for word in holds if word not in printed] == []


def test_experiments_fit(repository: Path) -> None:
    printed = run(repository, *shown_in_readme("dvc exp show --only-changed"))
    assert max(map(len, printed.splitlines())) <= WIDTH
    holds = ["[k-250]", "[seed-7]", "[less]", "select.k", "train.seed", "metrics/safety.json:star1 "]
    assert [word for word in holds if word not in printed] == []


def test_plots_of_two_states_are_drawn_by_our_templates(repository: Path) -> None:
    run(repository, "dvc", "plots", "diff", "HEAD", "--out", "plots")
    page = (repository / "plots/index.html").read_text()
    drawn = [json.loads(text) for text in re.findall(r"var spec = (\{.*?\});\n", page)]
    assert len(drawn) == 2
    for spec in drawn:
        assert spec["data"]["values"] and {row["rev"] for row in spec["data"]["values"]} == {"HEAD", "workspace"}
    assert drawn[0]["spec"]["layer"][1]["encoding"]["x2"] == {"field": "high"}
