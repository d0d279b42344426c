"""Deduplicate and decontaminate the raw pool: n-grams, TF-IDF, embeddings (paper: 528.8K rows become 41K)."""

from star1.artifacts import together
from star1.dedup.steps import deduplicate as without_duplicates
from star1.pipeline.stage import Stage, main
from star1.text import question_id


def deduplicate(stage: Stage) -> None:
    """Write the collection: of questions alike the first one, in the order of the sources, and none of a benchmark.

    Published rows come before all sources, and are not part of the collection: they need no teacher any more.
    """
    params = stage.params
    sources = [name for name in params.collect.order if name in params.sources]
    raw = together("raw", (stage.read("raw", source=source) for source in sources))
    rows = raw.assign(id=raw["question"].map(question_id))[["id", "question", "source"]]
    prompts = together(
        "benchmark",
        (
            stage.read("benchmark", suite=suite, benchmark=name).assign(benchmark=name)
            for suite, names in params.deduplicate.against.items()
            for name in names
        ),
    )
    published = together("published", (stage.read("published", name=name) for name in sorted(params.published)))
    ngrams = {source: params.sources[source].ngram for source in sources}
    kept, left = without_duplicates(rows, prompts, ngrams, params.deduplicate, published=published)
    stage.write("collection", kept)
    stage.account(len(rows), len(kept), left)


if __name__ == "__main__":
    main(deduplicate)
