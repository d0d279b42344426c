"""Generate one model's replies to one suite of benchmarks (paper, Evaluation: greedy)."""

import pandas as pd

from star1.evaluation.engines import generate as replies
from star1.pipeline.stage import Stage, main


def generate(stage: Stage, model: str, suite: str) -> None:
    """Write the model's reply to each prompt of the suite."""
    params = stage.params
    benchmarks = [
        stage.read("benchmark", suite=suite, benchmark=name).assign(benchmark=name) for name in params.suites[suite]
    ]
    prompts = pd.concat(benchmarks, ignore_index=True).rename(columns={"answer": "answer_key"})
    made = replies(stage.input(f"models/{model}"), list(prompts["prompt"]), params.evaluate.generation)
    generations = prompts.assign(
        sample=0,
        response=[reply.response for reply in made],
        thinking=pd.Series([reply.thinking for reply in made], dtype=object),
        answer=pd.Series([reply.answer for reply in made], dtype=object),
        finish_reason=[reply.finish_reason for reply in made],
    )
    stage.write("generations", generations, model=model, suite=suite)


if __name__ == "__main__":
    main(generate)
