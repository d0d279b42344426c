"""The page itself: one HTML file without scripts, fonts or pictures from anywhere else, the same bytes for the same
inputs. Its links lead into metrics/browser beside it, to the replies and questions behind a figure.

Called by stages/report.py. Everything printed goes through `display.visible` and then Jinja's autoescape, so that no
text of a data set or a model can become markup.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from star1.report import data, display, results
from star1.report.curves import curve
from star1.report.paper import ABLATIONS, reported

FOLDER = Path(__file__).parent  # of the templates and the style sheet


@dataclass(frozen=True)
class ReportInputs:
    """All that the page shows.

    rows: stage name -> {"in": int, "out": int, "dropped": {reason: int}}; collect@SOURCE may come one by one.
    evaluation: the details of `star1.evaluation.statistics.summarise`.
    pool, selected: DataFrame[id, question, source, category (list)] of the full-score rows and of the selection.
    curves: run -> DataFrame[step, loss, learning_rate].
    examples: [{"id", "prompt", "suite", "label", "replies": {model: {"thinking", "answer", "verdict"}}}]; label,
        thinking and answer may be missing values (None or NaN).
    hashes: artifact -> DVC's md5.
    title_params: a few params that name the run (k, base, seed).
    miniature: whether the models and data are the synthetic world's.
    paper_size: "7B" and so on where the paper's own figures belong beside this run's; None elsewhere.
    protocol: how replies were sampled; only those of protocol "paper" stand beside the paper's figures.
    tasks: suite -> the tasks whose judges gave its verdicts; second_judges: suite -> the task of its second judge.
    tried: name -> how far a judge agrees with people, a file of metrics/agreement.
    notes: model -> one line saying what it is.
    """

    rows: Mapping[str, Mapping[str, Any]]
    evaluation: Mapping[str, Any]
    pool: pd.DataFrame
    selected: pd.DataFrame
    curves: Mapping[str, pd.DataFrame]
    examples: Sequence[Mapping[str, Any]]
    hashes: Mapping[str, str]
    title_params: Mapping[str, Any]
    miniature: bool
    paper_size: str | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    protocol: str = "paper"
    tasks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    second_judges: Mapping[str, str] = field(default_factory=dict)
    tried: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def templates() -> jinja2.Environment:
    """Return the environment of all pages: what is printed is made visible and then escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        finalize=display.visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": display.number,
        "signed": display.signed,
        "thousands": display.count,
        "css": display.percent_css,
    }
    return environment


def style() -> Markup:
    """Return the style sheet that all pages hold."""
    return Markup((FOLDER / "page.css").read_text(encoding="utf-8"))


def build(inputs: ReportInputs) -> str:
    """Return metrics/report.html as text."""
    headlines, size = results.headlines(inputs.evaluation), inputs.paper_size
    beside = bool(size) and inputs.protocol == "paper"
    return (
        templates()
        .get_template("page.html")
        .render(
            css=style(),
            miniature=inputs.miniature,
            title_params=inputs.title_params,
            notes=inputs.notes,
            bases=inputs.evaluation["bases"],
            models=inputs.evaluation["models"],
            headlines=headlines,
            changes=results.changes(headlines),
            finding=results.finding(inputs.evaluation, inputs.second_judges),
            outcomes=results.outcomes(inputs.evaluation),
            categories=results.by_category(inputs.evaluation),
            labels=results.by_label(inputs.evaluation),
            judges=results.judges(inputs.tasks, inputs.tried),
            paper=results.beside_paper(inputs.evaluation, size) if size and beside else [],
            paper_models=list(reported(size)) if size else [],
            paper_size=size,
            protocol=inputs.protocol,
            ablations=ABLATIONS.get(size or "", {}),
            deviations=results.deviations(inputs.evaluation),
            funnel=data.funnel(inputs.rows),
            composition=data.composition(inputs.pool, inputs.selected),
            curves=[curve(run, frame) for run, frame in inputs.curves.items()],
            examples=inputs.examples,
            hashes=inputs.hashes,
        )
    )
