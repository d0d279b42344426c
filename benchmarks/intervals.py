"""How often the 95 % intervals of star1.evaluation.intervals cover the true value, by simulation.

    python benchmarks/intervals.py            # all tables, 2,000 runs a cell
    python benchmarks/intervals.py --runs 10000 --items 30 --seed 1 --table share

Each item has a probability of its own, drawn anew in each run from a Beta distribution with the true rate as mean and
`spread` as sum of its two parameters (0.5: nearly every item is always or never solved), or "equal": all items have the
true rate. The items' replies are drawn from that. With 2,000 runs a figure of 95.0 is within ± 1.0 by chance.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from scipy.special import betaincinv

from star1.evaluation.intervals import Interval, paired_change, pass_at_k, share

ITEMS, SAMPLES, SPREADS = (30, 200, 500), (1, 4, 16), (0.5, 2.0, 8.0, None)
RATES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95)
PAIRS = ((0.05, 0.05), (0.5, 0.5), (0.6, 0.5), (0.7, 0.9), (0.95, 0.9), (0.95, 0.5))
AT_K = ((4, 2), (16, 4), (16, 8))
LOW, HIGH = 93.0, 97.5

Draw = Callable[[np.random.Generator], tuple[Interval, float]]
"""One run: the interval, and the true value in its unit."""


def rates(rng: np.random.Generator, rate: float, spread: float | None, items: int) -> np.ndarray:
    """Draw each item's probability."""
    return np.full(items, rate) if spread is None else rng.beta(rate * spread, (1 - rate) * spread, items)


def share_run(rate: float, spread: float | None, items: int, samples: int) -> Draw:
    """Return a run of `share`."""
    of = np.full(items, samples)
    return lambda rng: (share(rng.binomial(samples, rates(rng, rate, spread, items)), of), 100 * rate)


def at_k_run(rate: float, spread: float | None, items: int, samples: int, k: int) -> Draw:
    """Return a run of `pass_at_k`; the mean of (1 - q)^k over a Beta's q is a product."""
    if spread is None:
        missed = (1 - rate) ** k
    else:
        missed = float(np.prod([((1 - rate) * spread + i) / (spread + i) for i in range(k)]))
    of = np.full(items, samples)
    return lambda rng: (
        pass_at_k(rng.binomial(samples, rates(rng, rate, spread, items)), of, k),
        100 * (1 - missed),
    )


def paired_run(pair: tuple[float, float], spread: float | None, items: int, samples: int) -> Draw:
    """Return a run of `paired_change`, in which an item that is hard for one model is as hard for the other."""
    # The quantiles of both Beta distributions at 20,000 levels: an item is one level, the same for both models.
    levels = (np.arange(20_000) + 0.5) / 20_000
    items_of = [
        np.full(len(levels), rate) if spread is None else betaincinv(rate * spread, (1 - rate) * spread, levels)
        for rate in pair
    ]
    true = 100 * float(items_of[0].mean() - items_of[1].mean())

    def run(rng: np.random.Generator) -> tuple[Interval, float]:
        drawn = rng.integers(len(levels), size=items)
        model, base = (rng.binomial(samples, each[drawn]) / samples for each in items_of)
        return paired_change(model.tolist(), base.tolist()), true

    return run


def measured(draw: Draw, runs: int, seed: int) -> tuple[float, float]:
    """Return coverage in percent and mean width in points."""
    rng = np.random.default_rng(seed)
    covered, width = 0, 0.0
    for _ in range(runs):
        interval, true = draw(rng)
        covered += interval["low"] - 1e-9 <= true <= interval["high"] + 1e-9
        width += interval["high"] - interval["low"]
    return 100 * covered / runs, width / runs


def table(
    name: str,
    heads: tuple[object, ...],
    cell: Callable[..., Draw],
    kinds: tuple[object, ...],
    arguments: argparse.Namespace,
) -> None:
    """Print coverage for each number of items, kind of sampling and spread (lines) and rate (columns)."""
    print(f"\n{name}; * outside {LOW:g} to {HIGH:g}; mean widths behind the bar")
    print(f"{'items':>5} {'samples':>8} {'spread':>6} " + " ".join(f"{head!s:>6}" for head in heads))
    for items in arguments.items:
        for kind in kinds:
            for spread in SPREADS:
                found = [measured(cell(head, spread, items, kind), arguments.runs, arguments.seed) for head in heads]
                line = " ".join(f"{value:5.1f}{' ' if LOW <= value <= HIGH else '*'}" for value, _ in found)
                widths = " ".join(f"{width:.1f}" for _, width in found)
                of = "equal" if spread is None else spread
                print(f"{items:5} {kind!s:>8} {of!s:>6} {line} | {widths}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--items", type=int, nargs="+", default=ITEMS)
    parser.add_argument("--seed", type=int, default=46)
    parser.add_argument(
        "--table", choices=["share", "pass@k", "change"], nargs="+", default=["share", "pass@k", "change"]
    )
    arguments = parser.parse_args()
    began = time.process_time()
    if "share" in arguments.table:
        table("share, by true rate", RATES, share_run, SAMPLES, arguments)
    if "pass@k" in arguments.table:
        table(
            "pass@k (samples, k), by true pass@1",
            RATES,
            lambda *where: at_k_run(*where[:3], *where[3]),
            AT_K,
            arguments,
        )
    if "change" in arguments.table:
        table("paired change, by the two rates", PAIRS, paired_run, SAMPLES, arguments)
    print(f"\n{time.process_time() - began:.0f} CPU s")


if __name__ == "__main__":
    main()
