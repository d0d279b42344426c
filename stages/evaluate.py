"""Evaluate: safety rate, over-refusal and reasoning accuracy of each model, with 95 % intervals (paper, Evaluation)."""

import pandas as pd

from star1.artifacts import write_json
from star1.evaluation.statistics import plots, summarise
from star1.pipeline.stage import Stage, main


def evaluate(stage: Stage) -> None:
    """Write the figures of each model, their details and the plots over all models and suites."""
    params = stage.params
    judgements = [
        stage.read("judgements", model=model, suite=suite).assign(model=model, suite=suite)
        for model in params.evaluate.models
        for suite in params.suites
    ]
    metrics, details = summarise(pd.concat(judgements, ignore_index=True), base="base")
    for model, figures in metrics.items():
        write_json(stage.output(f"metrics/evaluation/{model}.json"), figures)
    write_json(stage.output("metrics/evaluation_details.json"), details)
    for name, rows in plots(details).items():
        write_json(stage.output(f"metrics/plots/{name}.json"), rows)


if __name__ == "__main__":
    main(evaluate)
