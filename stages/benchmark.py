"""Read one benchmark as its entry says (paper, Evaluation)."""

from star1.pipeline.stage import Stage, main
from star1.sources.read import read_benchmark


def benchmark(stage: Stage, name: str) -> None:
    """Write the prompts of the benchmark `name`, with the right answer or label where the task has one."""
    entry = stage.params.benchmarks[name]
    rows = read_benchmark(name, entry, stage.root, stage.params.collect.max_chars)
    stage.write("benchmark", rows, suite=entry.suite, benchmark=name)


if __name__ == "__main__":
    main(benchmark)
