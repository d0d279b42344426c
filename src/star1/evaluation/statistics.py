"""From single verdicts to the figures of metrics/: shares with 95 % intervals, and changes against the base model on
the same prompts.

All shares are percentages (93.3, not 0.933), all changes percentage points. Intervals speak of the prompts only: how
far the figure could move with other prompts of the same kind. They do not cover another training seed or another
judge.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from star1.errors import UserError
from star1.evaluation.agreement import agreement
from star1.evaluation.intervals import Interval, average, paired_change, pass_at_k, rounded, share

NO_WORD = ("garbled", "no answer", "unjudged", "truncated")  # verdicts that are no judge's word

SUITES = ("safety", "over_refusal", "reasoning")


def summarise(judgements: pd.DataFrame, bases: Mapping[str, str]) -> dict[str, Any]:
    """Return the figures of all models: judgements with a column `model`, and each model's base (a base's is itself).

    Suites, benchmarks and labels keep the order of their first row. Several replies to one prompt count as one prompt
    with their mean. A change is measured on the prompts that a model and its base both have.

    The result is {"models", "bases", "suites": {suite: {model: FIGURES}}}. FIGURES hold, as the strict reading (a reply
    that is cut off, empty or unjudged is a failure): "average" and "change" over benchmarks, "benchmarks" {name:
    Interval with "counts" of verdicts and "change"}; for over_refusal "labels" and for safety "categories" of the same
    form; "parts", over benchmarks, where a judge looked at thoughts and answers alone; "paper" {"average", "change",
    "benchmarks", for over_refusal "labels"} where the task has a reading by the paper's rule (every reply counts, whole
    output); and "second" {"average", "change", "benchmarks", "parts", "agreement", "words"} where a second judge was
    asked: its own figures, its agreement with the first on whether a reply counts, and the counts of their words, first
    by second.
    A reasoning benchmark with several samples has "pass_at" {k: Interval}, k the samples of each prompt.

    Raises UserError where a model lacks a benchmark that another one has in the same suite: their averages could not
    be compared.
    """
    _check(judgements, bases)
    judgements = judgements.assign(label=judgements["label"].fillna("all"))
    suites: dict[str, dict[str, Any]] = {}
    for suite in dict.fromkeys(judgements["suite"]):
        rows = judgements[judgements["suite"] == suite]
        models = [model for model in bases if (rows["model"] == model).any()]
        suites[suite] = {model: _figures(rows, suite, model, bases[model]) for model in models}
    return rounded({"models": list(bases), "bases": dict(bases), "suites": suites}, 4)


def summary(details: Mapping[str, Any]) -> dict[str, dict[str, float | None]]:
    """Return the few figures that decide, in percent: {suite: {model: average}}; empty for a suite without benchmarks.

    Each is a file of metrics/, so that `dvc metrics show` is a table with a row a suite and a column a model, and a
    run stands beside its base.
    """
    of_suites = {suite: details["suites"].get(suite, {}) for suite in SUITES}
    averages = {
        suite: {model: figures["average"]["value"] for model, figures in of_model.items()}
        for suite, of_model in of_suites.items()
    }
    return rounded(averages, 2)


def plots(details: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of two files for `dvc plots`, drawn by the templates of .dvc/plots: "benchmarks" (suite,
    benchmark, model, share, low, high) and "over_refusal" (label, verdict, order, model, share).
    """
    benchmarks, over_refusal = [], []
    for suite, of_model in details["suites"].items():
        for model, result in of_model.items():
            for name, part in result["benchmarks"].items():
                bounds = {"share": part["value"], "low": part["low"], "high": part["high"]}
                benchmarks.append({"suite": suite, "benchmark": name, "model": model, **bounds})
            for label, part in result.get("labels", {}).items():
                for order, (verdict, count) in enumerate(part["counts"].items()):
                    share = round(100 * count / sum(part["counts"].values()), 2)
                    bar = {"label": label, "verdict": verdict, "order": order, "model": model, "share": share}
                    over_refusal.append(bar)
    return {"benchmarks": benchmarks, "over_refusal": over_refusal}


def _check(judgements: pd.DataFrame, bases: Mapping[str, str]) -> None:
    for suite in dict.fromkeys(judgements["suite"]):
        rows = judgements[judgements["suite"] == suite]
        benchmarks = set(rows["benchmark"])
        for model in bases:
            lacking = sorted(benchmarks - set(rows.loc[rows["model"] == model, "benchmark"]))
            if lacking:
                names = ", ".join(lacking)
                raise UserError(
                    f"evaluation: suite {suite} of model {model} lacks {names}; judge it, or drop it for all models"
                )


def _figures(rows: pd.DataFrame, suite: str, model: str, base: str) -> dict[str, Any]:
    """Return everything about one model in one suite."""
    pair = rows[rows["model"].isin([model, base])]
    result = _averaged(_by("benchmark", _view(rows, "verdict", "success"), model, base))
    if suite == "over_refusal":
        result["labels"] = _by("label", _view(rows, "verdict", "success"), model, base)
    if suite == "safety":
        result["categories"] = _by("category", _view(rows, "verdict", "success"), model, base)
    for part in ("thinking", "answer"):
        judged = _view(rows, f"{part}_verdict", f"{part}_success")
        if (judged["model"] == model).any():
            result.setdefault("parts", {})[part] = _over_benchmarks(judged, model, base)
    paper = _view(rows, "paper_verdict", "paper_success")
    if set(paper.loc[paper["model"] == model, "benchmark"]) == set(pair["benchmark"]):
        result["paper"] = _averaged(_by("benchmark", paper, model, base))
        if suite == "over_refusal":
            result["paper"]["labels"] = _by("label", paper, model, base)
    second = _view(rows, "second_verdict", "second_success")
    if set(second.loc[second["model"] == model, "benchmark"]) == set(pair["benchmark"]):
        result["second"] = _second(rows, second, model, base)
    return result


def _second(rows: pd.DataFrame, second: pd.DataFrame, model: str, base: str) -> dict[str, Any]:
    """Return the second judge's figures, and its agreement with the first where both gave a word on the reply."""
    result = _averaged(_by("benchmark", second, model, base))
    for part in ("thinking", "answer"):
        judged = _view(rows, f"second_{part}_verdict", f"second_{part}_success")
        if (judged["model"] == model).any():
            result.setdefault("parts", {})[part] = _over_benchmarks(judged, model, base)
    own = rows[rows["model"] == model]
    both = own[~own["verdict"].isin(NO_WORD) & ~own["second_verdict"].isin(NO_WORD)]
    first, last = (["counts" if x else "does not" for x in both[name]] for name in ("success", "second_success"))
    prompts = [f"{row.benchmark}/{row.prompt_id}" for row in both.itertuples(index=False)]
    found = agreement(first, last, prompts)
    words = pd.crosstab(both["verdict"], both["second_verdict"])
    result["agreement"] = {"agreed": found["agreed"], "kappa": found["kappa"]}
    result["words"] = {str(word): {str(k): int(n) for k, n in row.items()} for word, row in words.iterrows()}
    return result


def _view(rows: pd.DataFrame, verdict: str, success: str) -> pd.DataFrame:
    """Return the rows that have this verdict, with it and whether it counts as the columns word and success."""
    known = rows[rows[verdict].notna()]
    return known.assign(word=known[verdict], success=known[success].astype(float))


def _by(column: str, rows: pd.DataFrame, model: str, base: str) -> dict[str, Interval]:
    groups = [name for name in dict.fromkeys(rows.loc[rows["model"] == model, column]) if pd.notna(name)]
    return {str(name): _measure(rows[rows[column] == name], model, base) for name in groups}


def _averaged(benchmarks: dict[str, Interval]) -> dict[str, Any]:
    result: dict[str, Any] = {"average": average(list(benchmarks.values())), "benchmarks": benchmarks}
    if all("change" in part for part in benchmarks.values()):
        result["change"] = average([part["change"] for part in benchmarks.values()])
    return result


def _over_benchmarks(rows: pd.DataFrame, model: str, base: str) -> Interval:
    """Return one figure over all benchmarks of these rows, their unweighted mean, in the form of `_measure`."""
    parts = list(_by("benchmark", rows, model, base).values())
    result = average(parts) | {"counts": _counts(rows, model)}
    if changes := [part["change"] for part in parts if "change" in part]:
        result["change"] = average(changes)
    return result


def _measure(rows: pd.DataFrame, model: str, base: str) -> Interval:
    """Return one model's share over these rows, its counts by verdict and, unless it is a base, its change.

    The verdicts of all models in the rows are named, those that count first.
    """
    pair = rows[rows["model"].isin([model, base])]
    by_item = pair.groupby(["benchmark", "prompt_id", "model"])["success"]
    correct, samples = by_item.sum().unstack("model"), by_item.count().unstack("model")
    own = correct[model].notna()
    counted = correct.loc[own, model].to_numpy(int), samples.loc[own, model].to_numpy(int)
    part = share(*counted)
    most = int(counted[1].min())
    if most > 1 and rows["suite"].iloc[0] == "reasoning":
        part["pass_at"] = {str(most): pass_at_k(*counted, most)}
    part["counts"] = _counts(rows, model)
    if model != base and base in correct:
        both = (correct / samples)[[model, base]].dropna()
        part["change"] = paired_change(both[model].tolist(), both[base].tolist())
    return part


def _counts(rows: pd.DataFrame, model: str) -> dict[str, int]:
    counts = rows.loc[rows["model"] == model, "word"].value_counts()
    return {word: int(counts.get(word, 0)) for word in _ordered(rows)}


def _ordered(rows: pd.DataFrame) -> list[str]:
    """Return the verdicts in the order in which tables show them: those that count first, what is no verdict last."""
    success = rows.groupby("word")["success"].max()
    return sorted(
        success.index, key=lambda word: (-success[word], NO_WORD.index(word) if word in NO_WORD else -1, word)
    )
