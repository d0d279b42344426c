"""Collect one source: read its questions as its entry says (paper: 18 sources of harmful questions)."""

from star1.pipeline.stage import Stage, main
from star1.sources.read import read_source


def collect(stage: Stage, source: str) -> None:
    """Write the raw questions of `source`; what cannot be a question goes to the lineage."""
    rows, left = read_source(source, stage.params.sources[source], stage.root, stage.params.collect.max_chars)
    stage.write("raw", rows, source=source)
    stage.account(len(rows) + len(left), len(rows), left)


if __name__ == "__main__":
    main(collect)
