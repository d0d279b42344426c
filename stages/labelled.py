"""Read replies that people labelled, on which a judge is tried, as its entry under `agreement` says."""

from star1.pipeline.stage import Stage, main
from star1.sources.read import read_labelled


def labelled(stage: Stage, judge: str) -> None:
    """Write the labelled replies for `judge`."""
    stage.write("labelled", read_labelled(judge, stage.params.agreement[judge], stage.root), judge=judge)


if __name__ == "__main__":
    main(labelled)
