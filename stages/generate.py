"""Generate one model's replies to all benchmarks (paper, Evaluation)."""

import pandas as pd

from star1.asking.questions import Questions, ask_teacher
from star1.evaluation.generation import Generated, as_generations, check_replies, questions, with_samples
from star1.evaluation.tasks import check_prompts
from star1.pipeline.stage import Stage, main


def task(stage: Stage, model: str) -> Questions[Generated]:
    """What does the model say to each prompt, as often as the protocol asks?"""
    evaluate, benchmarks = stage.params.evaluate, stage.params.benchmarks
    prompts = pd.concat(
        [
            stage.read("benchmark", suite=suite, benchmark=name).assign(
                suite=suite, benchmark=name, task=benchmarks[name].task, max_tokens=benchmarks[name].max_tokens
            )
            for suite, names in stage.params.suites.items()
            for name in names
        ],
        ignore_index=True,
    ).rename(columns={"answer": "answer_key"})
    check_prompts(prompts)
    protocol = evaluate.protocols[evaluate.protocol]
    return questions(with_samples(prompts, protocol), stage.input(f"models/{model}"), evaluate.base_url, protocol)


def generate(stage: Stage, model: str) -> None:
    """Write the model's replies to each prompt of each suite."""
    asking = task(stage, model)
    asked = ask_teacher(stage, asking)
    check_replies(asking.rows, asked, stage.params.llm.max_failure_rate)
    generations = as_generations(asking.rows, asked, stage.input(f"models/{model}"))
    stage.write("generations", generations, model=model)


if __name__ == "__main__":
    main(generate)
