"""Read rows that somebody published in the form of STAR-1; they count as collected, paid for and scored."""

from star1.pipeline.stage import Stage, main
from star1.sources.published import read_published


def published(stage: Stage, name: str) -> None:
    """Write the published rows `name`."""
    entry = stage.params.published[name]
    rows = read_published(name, entry, stage.root, stage.params.categories)
    stage.write("published", rows, name=name)
    print(f"{stage.label}: {len(rows):,} rows, {int(rows['score'].isna().sum()):,} of them without a score")


if __name__ == "__main__":
    main(published)
