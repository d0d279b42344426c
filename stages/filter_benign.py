"""Keep the look-alikes with full scores (paper: STAR-benign-915) and lay them beside STAR-1 (the "2K")."""

import pandas as pd

from star1.files import write_text
from star1.pipeline.stage import Stage, left_rows, main
from star1.published import as_json


def filter_benign(stage: Stage) -> None:
    """Write STAR-benign, also in the published form, and the mixed training set."""
    rows, full = stage.read("benign_scored"), stage.params.benign.full_score
    lowest = rows["score"].map(lambda score: min(score.values()))
    kept = rows[lowest >= full]
    stage.write("star_benign", kept)
    write_text(stage.output("data/benign/star_benign.json"), as_json(kept))
    columns = ["id", "question", "source", "response"]
    stage.write("star1_2k", pd.concat([stage.read("star1")[columns], kept[columns]], ignore_index=True))
    dropped = rows[lowest < full]
    left = left_rows(dropped, "dropped", f"a score below {full}").assign(value=lowest.astype(float))
    stage.account(len(rows), len(kept), left)


if __name__ == "__main__":
    main(filter_benign)
