"""The report: one page with what was built, what it did to the models, and examples; and the pipeline's MLflow run."""

import json

from star1 import tracking
from star1.artifacts import file_md5, write_text
from star1.pipeline.stage import Stage, main
from star1.report.examples import before_and_after
from star1.report.inputs import curves, row_counts
from star1.report.page import ReportInputs, build


def report(stage: Stage) -> None:
    """Write metrics/report.html and log the run."""
    params = stage.params
    models, suites = params.evaluate.models, list(params.suites)
    judgements = {
        (model, suite): stage.read("judgements", model=model, suite=suite) for model in models for suite in suites
    }
    details = json.loads(stage.input("metrics/evaluation_details.json").read_text(encoding="utf-8"))
    metrics = {
        model: json.loads(stage.input(f"metrics/evaluation/{model}.json").read_text(encoding="utf-8"))
        for model in models
    }
    hashes = {
        path: file_md5(stage.input(path))
        for path in ("data/full_score.parquet", "data/star1.parquet", "data/star1_2k.parquet")
    }
    columns = ["id", "question", "source", "category"]
    page = build(
        ReportInputs(
            rows=row_counts(stage.input("metrics/rows")),
            evaluation=details,
            pool=stage.read("full_score")[columns],
            selected=stage.read("star1")[columns],
            curves=curves(stage.input("metrics/plots/training"), list(params.runs)),
            examples=before_and_after(judgements, params.report.examples),
            hashes=hashes,
            title_params={"k": params.select.k, "base": params.base.source, "seed": params.train.seed},
            miniature=params.base.source == "miniature",
            paper_size=params.report.paper_size,
            notes={"base": params.base.note} | {name: run.note for name, run in params.runs.items()},
        )
    )
    path = stage.output("metrics/report.html")
    write_text(path, page)
    everything = params.model_dump(mode="json")
    tracking.pipeline_run(everything, metrics, path, stage.root)


if __name__ == "__main__":
    main(report)
