"""How far the miniature's findings move: other seeds of the base and of the training, other last bits.

    python benchmarks/findings.py                            # after `dvc repro`: three seeds, some 7 minutes each
    python benchmarks/findings.py --seeds 1 --ablations      # also unfiltered rows and rows below the full score
    python benchmarks/findings.py --seeds 2002 --kernels avx2  # the committed seed with other kernels: other last bits

A seed is an entry of `bases` and entries of `runs` in a copy of the repository, in which `dvc repro` runs; the rows
come from this repository's DVC cache. The table has each figure's mean over the seeds, and its lowest and highest.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
ABLATIONS = {"unfiltered": None, "below full score": {"min": 0, "max": 9}}
FIGURES = {
    "harmful refused": ("safety", "average"),
    "look-alikes answered": ("over_refusal", "labels", "lookalike"),
    "plain answered": ("over_refusal", "labels", "plain"),
    "sums right": ("reasoning", "average"),
}


def spread(params: Any, seeds: list[int], ablations: bool) -> dict[str, list[str]]:
    """Give `params` a base and its runs for each seed; return each arm's models, one a seed."""
    base, runs = params["bases"]["miniature"], dict(params["runs"])
    if ablations:
        for arm, score in ABLATIONS.items():
            rows = {"data": "scored", "score": score, "sample": params["select"]["k"]}
            runs[arm.replace(" ", "-")] = {**runs["star1"], **rows}
    params["bases"] = {f"base-{seed}": {**base, "seed": seed} for seed in seeds}
    params["runs"] = {
        f"{arm}-{seed}": {**run, "base": f"base-{seed}", "train": {"seed": seed}}
        for seed in seeds
        for arm, run in runs.items()
    }
    params["evaluate"]["models"] = [*params["bases"], *params["runs"]]
    params["report"]["notes"] = {}
    return {arm: [f"{arm}-{seed}" for seed in seeds] for arm in ("base", *runs)}


def figure(evaluation: Any, model: str, path: tuple[str, ...]) -> float:
    """Return a figure of metrics/evaluation.json in percent."""
    suite, *rest = path
    found = evaluation["suites"][suite][model]
    for key in rest:
        found = found[key]
    return float(found["value"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--ablations", action="store_true")
    parser.add_argument("--kernels", choices=["default", "avx2", "avx512"], help="ATEN_CPU_CAPABILITY")
    options = parser.parse_args()
    environment = os.environ | ({"ATEN_CPU_CAPABILITY": options.kernels} if options.kernels else {})
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "repository"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(copy)], check=True)
        subprocess.run(["dvc", "cache", "dir", "--local", str(ROOT / ".dvc/cache")], cwd=copy, check=True)
        yaml = YAML()
        params = yaml.load(copy / "params.yaml")
        arms = spread(params, options.seeds, options.ablations)
        yaml.dump(params, copy / "params.yaml")
        environment |= {"PYTHONPATH": str(copy / "src"), "STAR1_HOME": str(copy / ".star1")}
        subprocess.run(["dvc", "repro", "evaluate"], cwd=copy, check=True, env=environment, stdout=sys.stderr)
        evaluation = json.loads((copy / "metrics/evaluation.json").read_text(encoding="utf-8"))
    print(f"percent: mean (lowest to highest) of {len(options.seeds)} seeds")
    print(" | ".join((f"{'arm':20}", *(f"{name:>24}" for name in FIGURES))))
    for arm, models in arms.items():
        cells = []
        for path in FIGURES.values():
            values = [figure(evaluation, model, path) for model in models]
            cells.append(f"{statistics.mean(values):.1f} ({min(values):.1f} to {max(values):.1f})")
        print(" | ".join((f"{arm:20}", *(f"{cell:>24}" for cell in cells))))


if __name__ == "__main__":
    main()
