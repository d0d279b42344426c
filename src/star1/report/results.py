"""The evaluation's figures, arranged for the page. Pure functions; page.html only lays out what they return."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from star1.report.paper import BENCHMARKS, reported

SUITES = {
    "safety": "Safety rate",
    "over_refusal": "Compliance with harmless questions",
    "reasoning": "Reasoning accuracy",
}
LABELS = {"lookalike": "look-alikes", "plain": "plain questions", "all": "all prompts"}
PARTS = {"thinking": "thoughts alone, by the guard", "answer": "answers alone, by the guard"}
OUTCOMES = {"safety": "Harmful questions", "reasoning": "Reasoning tasks"}


def headlines(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The few figures worth a picture: [{"title", "models": [{"model", "is_base", "share", "change"}]}].

    Safety and reasoning by their average over benchmarks, over-refusal by label.
    """
    found = []
    for suite, of_model in evaluation["suites"].items():
        if suite == "over_refusal":
            labels = dict.fromkeys(label for result in of_model.values() for label in result["labels"])
            parts = [
                (
                    f"Compliance with {LABELS.get(label, label)}",
                    {m: result["labels"].get(label) for m, result in of_model.items()},
                )
                for label in labels
            ]
        else:
            title = SUITES.get(suite, suite)
            parts = [
                (title, {m: {**result["average"], "change": result.get("change")} for m, result in of_model.items()})
            ]
        for title, figures in parts:
            models = [
                {
                    "model": model,
                    "is_base": evaluation["bases"][model] == model,
                    "share": figure,
                    "change": figure.get("change"),
                }
                for model in evaluation["models"]
                if (figure := figures.get(model))
            ]
            found.append({"title": title, "models": models})
    return found


def changes(headline_figures: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[str, Any]]]]:
    """What moved against the base, in the order of the headlines: [(model, [(title, Interval)])]."""
    moved: dict[str, list[tuple[str, Any]]] = {}
    for headline in headline_figures:
        for entry in headline["models"]:
            if entry["change"] and entry["change"]["value"] is not None:
                moved.setdefault(entry["model"], []).append((headline["title"], entry["change"]))
    return list(moved.items())


def finding(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All benchmarks by all models: [{"title", "rows": [{"title", "kind", "figures": [Interval or None, one a
    model], "asked"}]}].

    "kind" is "share", "average" or "change"; a change row belongs to the row above it. "asked" names the replies behind
    a row, as metrics/browser asks for them, where it can.
    """
    groups = []
    for suite, of_model in evaluation["suites"].items():
        part = "labels" if suite == "over_refusal" else "benchmarks"
        rows: list[tuple[str, str, tuple[str, ...]]] = []
        for name in dict.fromkeys(name for result in of_model.values() for name in result[part]):
            rows.append((LABELS.get(name, name), "share", (part, name)))
            if part == "labels":
                rows.append(("change", "change", (part, name, "change")))
        if part == "benchmarks":
            rows += [("average", "average", ("average",)), ("change", "change", ("change",))]
        if any("paper" in result for result in of_model.values()):
            rows += [
                ("as the paper counts", "average", ("paper", "average")),
                ("change", "change", ("paper", "change")),
            ]
        for name in dict.fromkeys(name for result in of_model.values() for name in result.get("parts", {})):
            rows.append((PARTS[name], "share", ("parts", name)))
        filled = [
            {
                "title": title,
                "kind": kind,
                "figures": [_at(of_model.get(model), path) for model in evaluation["models"]],
                "asked": _asked(suite, path),
            }
            for title, kind, path in rows
        ]
        groups.append({"title": SUITES.get(suite, suite), "rows": filled})
    return groups


def _asked(suite: str, path: tuple[str, ...]) -> dict[str, str] | None:
    """Return which replies metrics/browser shows for a figure: of a benchmark, of a kind of prompts, or of a suite."""
    if path == ("average",) or path == ("labels", "all"):
        return {"suite": suite}
    if len(path) == 2 and path[0] in ("benchmarks", "labels"):
        return {"suite": suite, {"benchmarks": "benchmark", "labels": "kind"}[path[0]]: path[1]}
    return None


def _at(node: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        node = node.get(key) if node else None
    return node


def outcomes(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the models did, as shares of replies by verdict: [{"title", "asked", "verdicts", "models": [{"model", "n",
    "parts": [(verdict, %)]}]}].

    Safety and reasoning with all benchmarks together, over-refusal by label.
    """
    found = []
    for suite, of_model in evaluation["suites"].items():
        counts: dict[str, dict[str, Counter[str]]] = {}
        asked: dict[str, dict[str, str] | None] = {}
        for model, result in of_model.items():
            for name, part in result["labels" if suite == "over_refusal" else "benchmarks"].items():
                key = f"Harmless: {LABELS.get(name, name)}" if suite == "over_refusal" else OUTCOMES.get(suite, suite)
                asked[key] = _asked(suite, ("labels", name) if suite == "over_refusal" else ("average",))
                counts.setdefault(key, {}).setdefault(model, Counter()).update(part["counts"])
        for title, by_model in counts.items():
            verdicts = [v for v in next(iter(by_model.values())) if any(tally[v] for tally in by_model.values())]
            models = [
                {"model": model, "n": tally.total(), "parts": [(v, 100 * tally[v] / tally.total()) for v in verdicts]}
                for model in evaluation["models"]
                if (tally := by_model.get(model))
            ]
            found.append({"title": title, "asked": asked[title], "verdicts": verdicts, "models": models})
    return found


def by_category(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Safety rate by category: {"models": [name], "rows": [(category, [Interval or None])]}, largest category first."""
    of_model = evaluation["suites"].get("safety", {})
    models = [model for model in evaluation["models"] if model in of_model]
    sizes: dict[str, int] = {}
    for model in models:
        for category, part in of_model[model]["categories"].items():
            sizes[category] = max(sizes.get(category, 0), part["n"])
    names = sorted(sizes, key=lambda category: (-sizes[category], category))
    return {
        "models": models,
        "rows": [(name, sizes[name], [of_model[model]["categories"].get(name) for model in models]) for name in names],
    }


def beside_paper(evaluation: Mapping[str, Any], size: str) -> list[dict[str, Any]]:
    """This run's base and first run beside the paper's R1-Distill and STAR-1, benchmark by benchmark.

    Only the paper's reading is laid beside (every reply counts, on the whole output): a benchmark without it is left
    out, and so is our average where it is over other benchmarks than the paper's.
    """
    paper = reported(size)
    runs = [model for model in evaluation["models"] if evaluation["bases"][model] != model]
    models = [evaluation["bases"][runs[0]], runs[0]] if runs else evaluation["models"][:1]
    tables = []
    for suite, names in BENCHMARKS.items():
        rows = []
        for name in (*names, "average"):
            ours = []
            for model in models:
                result = evaluation["suites"].get(suite, {}).get(model, {}).get("paper", {"benchmarks": {}})
                same = set(result["benchmarks"]) == set(names)
                ours.append(
                    result["benchmarks"].get(name) if name != "average" else result["average"] if same else None
                )
            rows.append((name, ours, [figures[suite][name] for figures in paper.values()]))
        tables.append({"suite": SUITES[suite], "models": models, "rows": rows})
    return tables
