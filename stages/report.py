"""The report: one page with what was built, what it did to the models, and examples; and the pipeline's MLflow run."""

import json

import pandas as pd

from star1 import tracking
from star1.artifacts import together
from star1.files import file_md5, write_json, write_text
from star1.pipeline.stage import Stage, main
from star1.report import browser
from star1.report.examples import before_and_after
from star1.report.inputs import agreements, curves, judging_tasks, row_counts
from star1.report.page import ReportInputs, build
from star1.report.questions import BENIGN, HARMFUL, questions


def report(stage: Stage) -> None:
    """Write metrics/report.html, the browser beside it and the rows of all stages, and log the run."""
    params = stage.params
    judgements = {model: stage.read("judgements", model=model) for model in params.evaluate.models}
    details = json.loads(stage.input("metrics/evaluation.json").read_text(encoding="utf-8"))
    hashes = {
        path: file_md5(stage.input(path))
        for path in ("data/full_score.parquet", "data/star1.parquet", "data/star1_2k.parquet")
    }
    rows = row_counts(stage.input("data/rows"))
    write_json(stage.output("metrics/rows.json"), rows)
    columns = ["id", "question", "source", "category"]
    page = build(
        ReportInputs(
            rows=rows,
            evaluation=details,
            pool=stage.read("full_score")[columns],
            selected=stage.read("star1")[columns],
            curves=curves(stage.input("metrics/plots/training"), list(params.runs)),
            examples=before_and_after(judgements, params.report.examples),
            hashes=hashes,
            title_params={"k": params.select.k, "bases": ", ".join(params.bases), "seed": params.train.seed},
            miniature=any(base.source == "miniature" for base in params.bases.values()),
            paper_size=params.report.paper_size,
            notes=params.report.notes,
            protocol=params.evaluate.protocol,
            tasks=judging_tasks(judgements.values(), params.evaluate.second_judges),
            second_judges=params.evaluate.second_judges,
            tried=agreements(stage.input("metrics/agreement")),
        )
    )
    lineage = {name: stage.read("lineage", stage=name) for name in ("deduplicate", *HARMFUL, *BENIGN)}
    published = together("published", [stage.read("published", name=name) for name in sorted(params.published)])
    origins = {"published": published, "collect": stage.read("collection")}
    pool = pd.concat([rows[["id", "question", "source"]].assign(origin=name) for name, rows in origins.items()])
    scored = pd.concat([published, stage.read("scored")])
    lives = questions(pool, scored, stage.read("star1"), stage.read("benign_questions"), lineage)
    browser.write(stage.output("metrics/browser"), judgements, lives)
    path = stage.output("metrics/report.html")
    write_text(path, page)
    everything = params.model_dump(mode="json")
    averages = {
        suite: {model: figures["average"]["value"] for model, figures in of_model.items()}
        for suite, of_model in details["suites"].items()
    }
    tracking.pipeline_run(everything, averages, path, stage.root)


if __name__ == "__main__":
    main(report)
