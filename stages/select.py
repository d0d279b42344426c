"""Select STAR-1: full scores only, then the k most diverse over sources and categories (paper, Selection)."""

import pandas as pd

from star1.artifacts import ARTIFACTS, together
from star1.files import write_text
from star1.pipeline.stage import Stage, main
from star1.published import as_json
from star1.selection import first_of_each, full_score
from star1.selection import select as diverse


def select(stage: Stage) -> None:
    """Write the rows of full score, and the k of them that are STAR-1, also in the published form.

    They are drawn from the rows that were built here and the published ones together.
    """
    params = stage.params.select
    published = [stage.read("published", name=name) for name in sorted(stage.params.published)]
    rows = together("scored", [stage.read("scored"), *published])[list(ARTIFACTS["scored"].columns)]
    rows, copies = first_of_each(rows)
    best, low = full_score(rows, params.full_score)
    full = rows[rows["id"].isin(best)]
    chosen, crowded = diverse(full, params.k)
    star1 = full[full["id"].isin(chosen)]
    stage.write("full_score", full)
    stage.write("star1", star1)
    write_text(stage.output("data/star1.json"), as_json(star1))
    stage.account(len(rows) + len(copies), len(star1), pd.concat([low, crowded, copies], ignore_index=True))


if __name__ == "__main__":
    main(select)
