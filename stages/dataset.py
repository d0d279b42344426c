"""Read a training set of any form, such as SafeChain, for runs to train on (paper, Ablations)."""

from star1.pipeline.stage import Stage, main
from star1.sources.training_sets import read_dataset


def dataset(stage: Stage, name: str) -> None:
    """Write the training set `name`."""
    rows = read_dataset(name, stage.params.datasets[name], stage.root)
    stage.write("dataset", rows, name=name)
    print(f"{stage.label}: {len(rows):,} rows")


if __name__ == "__main__":
    main(dataset)
