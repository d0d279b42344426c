"""The evaluation's figures, arranged for the page. Pure functions; page.html only lays out what they return."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from star1.report.paper import BENCHMARKS, DEVIATIONS, PROMPTS, reported

SUITES = {
    "safety": "Safety rate",
    "over_refusal": "Compliance with harmless questions",
    "reasoning": "Reasoning accuracy",
}
LABELS = {"lookalike": "look-alikes", "plain": "plain questions", "all": "all prompts"}
PARTS = {"thinking": "thoughts alone", "answer": "answers alone"}
FEW = 3  # kinds of harmless questions that each have a picture and a change; XSTest has ten
Row = tuple[str, str, tuple[str, ...]]
OUTCOMES = {"safety": "Harmful questions", "reasoning": "Reasoning tasks"}


def headlines(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The few figures worth a picture: [{"title", "models": [{"model", "is_base", "share", "change"}]}].

    Each suite by its average over benchmarks; over-refusal by label instead, where there are few.
    """
    found = []
    for suite, of_model in evaluation["suites"].items():
        labels = _labels(of_model) if suite == "over_refusal" else {}
        if 1 < len(labels) <= FEW:
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


def finding(evaluation: Mapping[str, Any], second_judges: Mapping[str, str]) -> list[dict[str, Any]]:
    """All benchmarks by all models: [{"title", "rows": [{"title", "kind", "figures": [Interval or None, one a
    model], "asked"}]}].

    "kind" is "share", "average" or "change"; a change row belongs to the row above it. "asked" names the replies behind
    a row, as metrics/browser asks for them, where it can.
    second_judges: suite -> task.
    """
    groups = []
    for suite, of_model in evaluation["suites"].items():
        results = list(of_model.values())
        rows: list[Row] = []
        names = list(dict.fromkeys(name for result in results for name in result["benchmarks"]))
        for name in names:
            rows += [(name, "share", ("benchmarks", name))] if len(names) > 1 else []
            chances = dict.fromkeys(k for r in results for k in r["benchmarks"].get(name, {}).get("pass_at", {}))
            rows += [(f"{name}, pass@{k}", "share", ("benchmarks", name, "pass_at", k)) for k in chances]
        title = "average" if len(names) > 1 else names[0]
        rows += [(title, "average", ("average",)), ("change", "change", ("change",))]
        labels = _labels(of_model) if suite == "over_refusal" else {}
        for name in labels if 1 < len(labels) <= FEW else ():
            rows.append((LABELS.get(name, name), "share", ("labels", name)))
            rows.append(("change", "change", ("labels", name, "change")))
        if any("paper" in result for result in results):
            rows += [
                ("as the paper counts", "average", ("paper", "average")),
                ("change", "change", ("paper", "change")),
            ]
        rows += _parts(results, "by its judge", ())
        if any("second" in result for result in results):
            task = second_judges.get(suite, "the second judge")
            rows += [(f"by {task}", "average", ("second", "average")), ("change", "change", ("second", "change"))]
            rows += _parts([result.get("second", {}) for result in results], f"by {task}", ("second",))
            rows.append((f"agreement with {task}", "share", ("second", "agreement", "agreed")))
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


def _parts(results: Sequence[Mapping[str, Any]], judge: str, path: tuple[str, ...]) -> list[Row]:
    names = dict.fromkeys(name for result in results for name in result.get("parts", {}))
    return [(f"{PARTS[name]}, {judge}", "share", (*path, "parts", name)) for name in names]


def _labels(of_model: Mapping[str, Any]) -> dict[str, None]:
    return dict.fromkeys(label for result in of_model.values() for label in result.get("labels", {}))


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
    """Safety rate by category: {"models": [name], "rows": [(category, prompts, [Interval or None])]}, largest category
    first.
    """
    return _by_kind(evaluation, "safety", [("categories",)])


def by_label(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Compliance by kind of harmless question, as `by_category`; of each model strict, then as the paper counts."""
    return _by_kind(evaluation, "over_refusal", [("labels",), ("paper", "labels")])


def _by_kind(evaluation: Mapping[str, Any], suite: str, readings: Sequence[tuple[str, ...]]) -> dict[str, Any]:
    of_model = evaluation["suites"].get(suite, {})
    models = [model for model in evaluation["models"] if model in of_model]
    sizes: dict[str, int] = {}
    for model in models:
        for kind, part in of_model[model][readings[0][0]].items():
            sizes[kind] = max(sizes.get(kind, 0), part["n"])
    names = sorted(sizes, key=lambda kind: (-sizes[kind], kind))
    return {
        "models": models,
        "rows": [
            (name, sizes[name], [_at(of_model[model], (*path, name)) for model in models for path in readings])
            for name in names
        ],
    }


def judges(tasks: Mapping[str, Sequence[str]], tried: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How far each judge agrees with people: [{"suite", "task", "tries": [(name, figures)]}]; none where it is unknown.

    tasks: suite -> the tasks whose judges gave its verdicts; tried: name -> figures of metrics/agreement. Reasoning is
    left out: its graders compare, they do not judge.
    """
    return [
        {
            "suite": SUITES.get(suite, suite),
            "task": task,
            "tries": [(name, found) for name, found in tried.items() if found["task"] == task],
        }
        for suite, names in tasks.items()
        if suite != "reasoning"
        for task in names
    ]


def beside_paper(evaluation: Mapping[str, Any], size: str) -> list[dict[str, Any]]:
    """Return this run's models beside the paper's Instruct, R1-Distill and STAR-1, benchmark by benchmark.

    Only the paper's reading is laid beside (every reply counts, on the whole output): a benchmark without it is left
    out, and so is our average where it is over other benchmarks than the paper's.
    """
    paper = reported(size)
    tables = []
    for suite, names in BENCHMARKS.items():
        rows = []
        for name in (*names, "average"):
            ours = []
            for model in evaluation["models"]:
                result = evaluation["suites"].get(suite, {}).get(model, {}).get("paper", {"benchmarks": {}})
                same = set(result["benchmarks"]) == set(names)
                ours.append(
                    result["benchmarks"].get(name) if name != "average" else result["average"] if same else None
                )
            rows.append((name, ours, [figures[suite][name] for figures in paper.values()]))
        tables.append({"suite": SUITES[suite], "models": evaluation["models"], "rows": rows})
    return tables


def deviations(evaluation: Mapping[str, Any]) -> list[str]:
    """What differs from the paper's protocol, a line each; so has each benchmark with another number of prompts."""
    found = list(DEVIATIONS)
    for suite in BENCHMARKS:
        sizes: dict[str, int] = {}
        for result in evaluation["suites"].get(suite, {}).values():
            sizes |= {name: part["n"] for name, part in result["benchmarks"].items()}
        found += [
            f"{name}: {n:,} prompts here, {PROMPTS[name]:,} in the paper."
            for name, n in sizes.items()
            if n != PROMPTS.get(name, n)
        ]
    return found
