"""The paper's findings in the miniature world, each arm against its rival, over whole worlds of models.

    python benchmarks/findings.py             # after `dvc repro`, which makes the rows: about 500 CPU seconds a seed
    python benchmarks/findings.py --seeds 1   # one seed only

A seed draws everything but the rows: the base model is pretrained anew, the order of training and the prompts are its
own. Every arm starts from that base and is fine-tuned with the settings of params.yaml; only the rows and the number
of steps differ. Judged strictly: a refusal has no steps, an answer has no refusal, all else is garbled and counts for
neither.

- star1: the pipeline's k rows. benign: these and the look-alikes. equal steps: star1 trained as long as benign.
- unfiltered: as many rows drawn from all scored ones. imperfect: drawn from those below the full score.
- few: a tenth of the rows, by the diversity selection, for as many steps as star1. few random: drawn instead.
"""

import argparse
import statistics
import tempfile
from collections import Counter
from pathlib import Path

import pandas as pd
from star1.evaluation.engines import generate
from transformers import AutoTokenizer

from star1 import params as star1_params
from star1.artifacts import read
from star1.bases.miniature.pretraining import pretrain
from star1.evaluation.tasks.number import correct
from star1.miniature.judge import judge
from star1.miniature.world import benchmark
from star1.selection import select
from star1.training.examples import encode_all
from star1.training.launch import read_launch
from star1.training.loop import finetune, steps_for

SAFETY = ("StrongREJECT", "JBB", "WildChat", "WildJailbreak")
REASONING = ("Arithmetic", "WordProblems")
COLUMNS = ("safety", "look-alikes answered", "look-alikes refused", "plain answered", "plain refused", "reasoning")
PROMPTS = 100  # of each safety and reasoning benchmark; over-refusal has three times as many

Rows = list[tuple[str, str]]


def arms(params: star1_params.Params, seed: int) -> dict[str, tuple[Rows, int]]:
    """Return each arm's (question, response) rows and its number of optimizer steps."""
    scored, full, star1, both = (
        read(Path(f"data/{name}.parquet")) for name in ("scored", "full_score", "star1", "star1_2k")
    )
    imperfect = scored[~scored["id"].isin(full["id"])]
    few = full[full["id"].isin(select(full, len(star1) // 10)[0])]
    epochs, batch = params.runs["star1"].epochs, params.train.batch
    short, long = (steps_for(len(rows), epochs, batch) for rows in (star1, both))

    def drawn(rows: pd.DataFrame, count: int) -> pd.DataFrame:
        return rows.sample(min(count, len(rows)), random_state=seed).sort_index()

    chosen = {
        "star1": (star1, short),
        "benign": (both, long),
        "equal steps": (star1, long),
        "unfiltered": (drawn(scored, len(star1)), short),
        "imperfect": (drawn(imperfect, len(star1)), short),
        "few": (few, short),
        "few random": (drawn(full, len(few)), short),
    }
    return {
        name: (list(zip(rows["question"], rows["response"], strict=True)), steps)
        for name, (rows, steps) in chosen.items()
    }


def evaluate(model: Path, params: star1_params.Params, seed: int) -> dict[str, float]:
    """Return the figures of COLUMNS in percent, on the prompts of the seed; averages are unweighted over benchmarks."""
    names = {**dict.fromkeys((*SAFETY, *REASONING), PROMPTS), "XSTest": 3 * PROMPTS}
    prompts = [(name, row) for name, count in names.items() for row in benchmark(name, count, seed)]
    replies = generate(model, [row["prompt"] for _, row in prompts], params.evaluate.generation)
    counts: dict[str, Counter[str]] = {}
    for (name, row), reply in zip(prompts, replies, strict=True):
        if row["answer"] is not None:
            verdict = "correct" if correct(reply.answer, row["answer"]) else "wrong"
        else:
            verdict = judge(row["prompt"], reply.thinking, reply.answer)
        counts.setdefault(row["label"] or name, Counter())[verdict] += 1

    def share(group: str, verdict: str) -> float:
        return 100 * counts[group][verdict] / counts[group].total()

    return {
        "safety": statistics.mean(share(name, "refused") for name in SAFETY),
        "look-alikes answered": share("lookalike", "answered"),
        "look-alikes refused": share("lookalike", "refused"),
        "plain answered": share("plain", "answered"),
        "plain refused": share("plain", "refused"),
        "reasoning": statistics.mean(share(name, "correct") for name in REASONING),
    }


def world(params: star1_params.Params, seed: int, folder: Path) -> dict[str, dict[str, float]]:
    """Pretrain the seed's base model in `folder`, fine-tune every arm from it, and return the figures of each."""
    base = folder / "base"
    pretrain(base, params.bases["miniature"].model_copy(update={"seed": seed}), params.bases["miniature"].threads)
    figures = {"base": evaluate(base, params, seed)}
    tell(seed, "base", figures["base"])
    settings = params.train.model_copy(update={"seed": seed})
    tokenizer, launch = AutoTokenizer.from_pretrained(base), read_launch(Path("configs/cpu.yaml"))
    for name, (rows, steps) in arms(params, seed).items():
        examples = encode_all(tokenizer, rows, settings.max_tokens)
        finetune(base, examples, folder / name, settings, steps, launch, folder / "checkpoints")
        figures[name] = evaluate(folder / name, params, seed)
        tell(seed, name, figures[name])
    return figures


def tell(seed: int, name: str, figures: dict[str, float]) -> None:
    """Print one arm's figures as soon as they are there; a seed takes some minutes."""
    cells = (f"{figures[column]:.1f} {column}" for column in COLUMNS)
    print(f"seed {seed}, {name}: {', '.join(cells)}", flush=True)


def main() -> None:
    """Print the table: for every arm and figure the mean over seeds, with the lowest and the highest."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3], help="of the bases, training and prompts")
    seeds = parser.parse_args().seeds
    params = star1_params.load(Path("params.yaml"))
    table: dict[str, list[dict[str, float]]] = {}
    for seed in seeds:
        with tempfile.TemporaryDirectory() as folder:
            for name, figures in world(params, seed, Path(folder)).items():
                table.setdefault(name, []).append(figures)
    print(f"\npercent: mean (lowest to highest) of {len(seeds)} seeds\n" + " | ".join(("arm".ljust(12), *COLUMNS)))
    for name, runs in table.items():
        cells = []
        for column in COLUMNS:
            values = [run[column] for run in runs]
            cells.append(f"{statistics.mean(values):.1f} ({min(values):.0f} to {max(values):.0f})".center(len(column)))
        print(" | ".join((name.ljust(12), *cells)))


if __name__ == "__main__":
    main()
