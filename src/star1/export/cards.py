"""The card of an exported data set, and what it and a model's card say of their origin."""

import json
from typing import Any

import pandas as pd

from star1.export.provenance import Provenance
from star1.pipeline.fields import LOCAL
from star1.report.display import visible
from star1.training.card import plain, yaml_text

TITLES = {
    "star1": "STAR-1: the selected questions, each with a thought and an answer",
    "star_benign": "STAR-benign: harmless look-alikes of STAR-1, each with a thought and an answer",
    "star1_2k": "STAR-1 and STAR-benign as one training set",
    "scored": "All questions with a thought, an answer and scores, before selection",
}
"""The data sets that can be exported, by artifact."""

TEACHERS = ("classifier", "reasoner", "scorer", "rewriter")


def data_card(name: str, rows: pd.DataFrame, source: Provenance) -> str:
    """Return the Markdown of a data set's README.md, with the front matter that `load_dataset` and the Hub read.

    Args:
        name: of the artifact, which its files have too.
        rows: with the column `source`.
        source: where they come from.
    """
    files = [{"split": "train", "path": f"{name}.parquet"}]
    front = {"configs": [{"config_name": "default", "data_files": files}], "tags": ["safety", "reasoning"]}
    entries = source.params.get("sources", {})
    counts = rows["source"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    lines = "\n".join(
        f"| {plain(visible(str(each)))} | {n:,} | {_place(entries.get(each))} |" for each, n in counts.items()
    )
    return f"""---
{yaml_text(front)}---

# {TITLES[name]}

{len(rows):,} rows. `{name}.json` holds the same rows as `{name}.parquet`. A row's `id` is a hash of its question.

```python
from datasets import load_dataset

rows = load_dataset("THIS_FOLDER", split="train")
```

## Sources and licences

| source | rows | read from |
|---|---|---|
{lines}

The licence of each source holds for its questions, and the terms of the teachers for what they wrote. This pipeline
does not know them: read them at the addresses above before you pass the rows on.

## Known limits

{_limits(source.params)}

{origin(source)}"""


def origin(source: Provenance) -> str:
    """Return the section about hashes and params, as dvc.lock has them."""
    hashes = "\n".join(f"| {plain(path)} | {md5} |" for path, md5 in source.hashes.items())
    params = json.dumps(_without_addresses(source.params), indent=2, ensure_ascii=False)
    return f"""## Where it comes from

DVC's MD5 of it and of the tables and models that it was made of:

| path | MD5 |
|---|---|
{hashes}

The params that decided:

```json
{params}
```
"""


def _limits(params: dict[str, Any]) -> str:
    """Return what somebody must know who trains on the rows, as a list."""
    teachers = {role: params[f"llm.{role}"] for role in TEACHERS if f"llm.{role}" in params}
    models = "; ".join(f"{role}: {plain(str(teacher['model']))}" for role, teacher in teachers.items())
    against = params.get("deduplicate", {}).get("against", {})
    benchmarks = ", ".join(plain(str(benchmark)) for names in against.values() for benchmark in names)
    limits = [
        "Many questions ask for harm; they are here so that models learn how to answer them.",
        f"Models wrote categories, thoughts, answers and scores ({models}). No human has checked them.",
        f"Collected questions near one of these benchmarks were left out: {benchmarks or 'none'}. Other benchmarks may "
        "hold questions of these sources.",
    ]
    if any(teacher["base_url"] == "simulator" for teacher in teachers.values()):
        limits.append("The teachers were simulated: this is a miniature for trying out the pipeline, not for use.")
    if names := ", ".join(map(plain, params.get("published", {}))):
        limits.append(f"Rows published by others are among them as they were ({names}), near a benchmark or not.")
    return "\n".join(f"- {limit}" for limit in limits)


def _place(entry: dict[str, Any] | None) -> str:
    """Say where a source was read: a source that no entry has came with published rows."""
    if entry is None:
        return "published rows"
    if entry.get("dataset"):
        return plain(f"{entry['dataset']} at {entry['revision']}")
    urls = entry.get("url") or entry["path"]
    return plain(" ".join(urls) if isinstance(urls, list) else urls)


def _without_addresses(value: Any) -> Any:
    """Return params without the addresses of endpoints, which may be nobody else's business."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if key != "base_url" or item in LOCAL}
        return {key: _without_addresses(item) for key, item in kept.items()}
    return value
