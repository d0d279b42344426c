"""Evaluate: safety, over-refusal and reasoning of each model, with 95 % intervals (paper, Evaluation)."""

import pandas as pd

from star1.evaluation.statistics import plots, summarise, summary
from star1.files import write_json
from star1.pipeline.stage import Stage, main


def evaluate(stage: Stage) -> None:
    """Write the headline figures, all figures and the plots, over all models and suites."""
    models = stage.params.evaluate.models
    judgements = [stage.read("judgements", model=model).assign(model=model) for model in models]
    bases = {model: run.base for model, run in stage.params.runs.items()}
    details = summarise(pd.concat(judgements, ignore_index=True), {model: bases.get(model, model) for model in models})
    for name, of_model in summary(details).items():
        write_json(stage.output(f"metrics/{name}.json"), of_model)
    write_json(stage.output("metrics/evaluation.json"), details)
    for name, rows in plots(details).items():
        write_json(stage.output(f"metrics/plots/{name}.json"), rows)


if __name__ == "__main__":
    main(evaluate)
