"""A row's whole life across the stages, told from the artifacts that exist: `star1 trace <id or text>`."""

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from star1.artifacts import ARTIFACTS, read_arrow
from star1.dedup import ledger
from star1.errors import UserError
from star1.lineage.pool import Place, Pool, dropped, find, places, prompt_text, read_if_built, read_pool, with_id
from star1.params import Params, load
from star1.report.display import visible
from star1.selection import OVER_REPRESENTED
from star1.text import question_id

SHOWN = 300  # characters of a text
Line = tuple[str, str]  # a stage, and what is said of it

# Each stage's table of the rows that stay, and the column that tells what the stage found.
HARMFUL = {
    "categorize": ("categorized", "category"),
    "reason": ("cot", "id"),
    "score": ("scored", "score"),
    "select": ("star1", "id"),
}
BENIGN = {
    "reason_benign": ("benign_cot", "id"),
    "score_benign": ("benign_scored", "score"),
    "filter_benign": ("star_benign", "id"),
}
STAYED = {
    "reason": "answered",
    "select": "kept in STAR-1",
    "reason_benign": "answered",
    "filter_benign": "kept in STAR-benign",
}


def trace(root: Path, asked: str) -> Iterator[str]:
    """Yield what is known of the row with this id or question, a line a fact, safe to print.

    Raises UserError: nothing asked, nothing built, an unknown id, or a table that cannot be read.
    """
    asked = asked.strip()
    if not asked:
        raise UserError("trace: give a row's id or a question; this is empty.")
    tables = [artifact.at() for artifact in ARTIFACTS.values() if "{" not in artifact.path]
    first = [path for folder in ("raw", "published") for path in (root / "data" / folder).glob("*.parquet")]
    if not first and not any((root / path).exists() for path in tables):
        raise UserError("trace: nothing is built yet. `dvc repro` builds everything, `dvc pull` fetches it.")
    params = load(root / "params.yaml")
    pool = read_pool(root, [name for name in params.collect.order if name in params.sources])
    row_id = asked if re.fullmatch("[0-9a-f]{16}", asked) else question_id(asked)
    lines = list(_life(pool, params, row_id))
    look_alike = find(root, "benign_questions", row_id, ["question", "parent"])
    if look_alike:
        parent = str(look_alike["parent"])
        lines.append(("row", f"{row_id}  {_quoted(look_alike['question'])}, a harmless look-alike of the next"))
        lines += _life(pool, params, parent)
    if not lines and row_id == asked:
        raise UserError(f"trace: no row has the id {row_id} in what is built here; a question may be given instead.")
    previous = ""
    for stage, said in lines or _never_collected(pool, params, asked):
        # Nothing hides, reorders text or moves the terminal's cursor.
        line = str(visible(said)).replace("\n", "↵").replace("\t", " ")
        yield f"{stage if stage != previous else '':<15}{line}"
        previous = stage


def _life(pool: Pool, params: Params, row_id: str) -> Iterator[Line]:
    """Tell the life of a collected or published row, and of its look-alike; nothing if no artifact holds it."""
    root, collected = pool.root, list(places(pool, row_id))
    published = list(_published(root, params, row_id))
    unusable = list(_unusable(root, pool.order, row_id))
    datasets = {name: find(root, "dataset", row_id, ["question"], name=name) for name in sorted(params.datasets)}
    also = {name: row["question"] for name, row in datasets.items() if row}
    later = next(filter(None, (find(root, name, row_id, ["question"]) for name, _ in HARMFUL.values())), None)
    if not (collected or published or unusable or later or also):
        return
    tables = [*published, *([later] if later else [])]
    questions = [place.question for place in collected] + [row["question"] for row in tables] + [*also.values()]
    yield "row", f"{row_id}  {_quoted(next(filter(None, questions), None))}"
    yield from _origins(collected, unusable, published)
    yield from (("dataset", name) for name in also)
    if not (collected or published or later):
        yield from _training(root, params, [row_id] if also else [])
        return
    missing = [] if pool.deduplicated or published else ["deduplicate"]
    if pool.deduplicated and not published:
        yield from _deduplicated(pool, params, row_id, collected)
    elif published and collected:
        yield "deduplicate", "dropped: exact duplicate, because the question is published"
    rows = [row_id]
    if published or later or with_id(pool.collection, row_id):
        stages = {"select": HARMFUL["select"]} if published else HARMFUL  # what is published is paid for and scored
        stays = yield from _through(root, stages, row_id, missing)
        if stays and not missing:
            rows += yield from _rewritten(root, params, row_id, missing)
    if missing:
        yield missing[0], f"not run so far, traced up to here; `dvc repro {missing[0]}` goes on"
    trained = list(_training(root, params, rows))
    yield from trained
    if not (trained or missing):
        yield "train", "in no run"


def _origins(collected: list[Place], unusable: list[Line], published: list[dict[str, Any]]) -> Iterator[Line]:
    """Tell every source and published entry that has the row."""
    for number, place in enumerate(collected):
        where = "not in data/raw any more" if place.source_id is None else f"row {place.source_id}"
        again = ", the same question again" if number else ""
        otherwise = f" as {_quoted(place.question)}" if place.question != collected[0].question else ""
        yield "collect", f"{place.source}, {where}{again}{otherwise}"
    yield from unusable
    for row in published:
        yield "published", f"{row['name']}, row {row['published_id']}, of {row['source']}"
        yield "published", ", ".join([*row["category"], *(_scores(row["score"]) if row["score"] else ["no score"])])


def _published(root: Path, params: Params, row_id: str) -> Iterator[dict[str, Any]]:
    """Yield the published rows with this id, each with the `name` of its entry, in the order in which they count."""
    for name in sorted(params.published):
        row = find(root, "published", row_id, ["question", "source", "published_id", "category", "score"], name=name)
        if row:
            yield {"name": name, **row}


def _unusable(root: Path, sources: list[str], row_id: str) -> Iterator[Line]:
    """Tell where the row was met and could not be used as a question."""
    for source in sources:
        line = find(root, "lineage", row_id, ["reason", "value", "detail"], stage=f"collect/{source}")
        if line:
            characters = "" if line["value"] is None else f", {line['value']:,.0f} characters"
            yield "collect", f"{source}, row {line['detail']}, dropped: {line['reason']}{characters}"


def _deduplicated(pool: Pool, params: Params, row_id: str, collected: list[Place]) -> Iterator[Line]:
    """Tell whether the row was kept, or because of what it went, and so on to a kept row or a benchmark's prompt."""
    if len(collected) > 1:
        yield "deduplicate", f"of {len(collected)} exact duplicates the first, of {collected[0].source}, went on"
    who = ""
    while not with_id(pool.collection, row_id):
        line = dropped(pool, row_id)
        if line is None:
            yield "deduplicate", f"{who}{_unaccounted('deduplicate')}"
            return
        yield "deduplicate", f"{who}dropped: {_reason(line['reason'], line['value'], line['detail'])}"
        row_id, who = line["because_of"], "that one was "
        if ":" in row_id:
            yield "deduplicate", f"because of the prompt {row_id}: {_quoted(prompt_text(pool.root, row_id))}"
            return
        if published := next(_published(pool.root, params, row_id), None):
            cause = f"because of {row_id}, published as {published['name']}: {_quoted(published['question'])}"
            yield "deduplicate", cause
            return
        first = next(places(pool, row_id), None)
        yield (
            "deduplicate",
            f"because of {row_id}" + (f" of {first.source}: {_quoted(first.question)}" if first else ""),
        )
    yield "deduplicate", f"{who}kept"


def _through(
    root: Path, stages: dict[str, tuple[str, str]], row_id: str, missing: list[str]
) -> Generator[Line, None, bool]:
    """Tell what stage after stage found; return whether the row stays. Stages without output are added to `missing`."""
    for stage, (artifact, column) in stages.items():
        row = find(root, artifact, row_id, [column])
        if row:
            for before in missing:
                yield before, f"its output is not here; `dvc pull` or `dvc repro {before}` brings it"
            missing.clear()
            found = row[column]
            if isinstance(found, dict):
                found = _scores(found)
            yield stage, ", ".join(found) if isinstance(found, list) else STAYED[stage]
        elif (root / ARTIFACTS[artifact].at()).exists():
            yield from _left(root, stage, row_id)
            return False
        else:
            missing.append(stage)
    return True


def _left(root: Path, stage: str, row_id: str) -> Iterator[Line]:
    """Tell why the row left at a stage: the lineage's line, and the failure with its last reply."""
    line = find(root, "lineage", row_id, ["outcome", "reason", "because_of", "value", "detail"], stage=stage)
    if line is None:
        yield stage, _unaccounted(stage)
        return
    because = f", because of {line['because_of']}" if line["because_of"] else ""
    yield stage, f"{line['outcome']}: {_reason(line['reason'], line['value'], line['detail'])}{because}"
    failure = find(root, "failures", row_id, ["reason", "attempts", "last_reply"], stage=stage)
    if failure:
        yield stage, f"asked {failure['attempts']} times; the last reply: {failure['reason']}"
        yield stage, _quoted(failure["last_reply"])


def _rewritten(root: Path, params: Params, parent: str, missing: list[str]) -> Generator[Line, None, list[str]]:
    """Tell into which look-alike a row of STAR-1 was rewritten and what became of that; return the look-alike's id."""
    table = read_if_built(root, "benign_questions", ["id", "question", "parent"])
    if table is None:
        missing.append("rewrite")
        return []
    rows = [row for row in table.to_pylist() if row["parent"] == parent]
    if not rows:
        nothing = [("rewrite", "benign.rewrite is false, so nothing is asked")]
        yield from _left(root, "rewrite", parent) if params.benign.rewrite or table.num_rows else nothing
        return []
    yield "rewrite", f"into the look-alike {rows[0]['id']}: {_quoted(rows[0]['question'])}"
    yield from _through(root, BENIGN, rows[0]["id"], missing)
    return [rows[0]["id"]]


def _scores(score: dict[str, int]) -> list[str]:
    return [f"{name} {value}" for name, value in score.items()]


def _training(root: Path, params: Params, row_ids: list[str]) -> Iterator[Line]:
    """Tell in which runs these are trained on: the row and, if there is a second id, its look-alike."""
    from star1.training.rows import drawn
    from star1.training.settings import training_settings

    for name, run in params.runs.items():
        path = root / f"data/{run.data}.parquet"
        if not path.exists():
            continue
        table = read_arrow(path, ["id", "score"] if run.score else ["id"])
        rows = set(table["id"].to_pylist())
        chosen = set(drawn(table.to_pandas(), run, training_settings(params.train, run).seed)["id"])
        for row_id, which in zip(row_ids, ("it", "its look-alike"), strict=False):
            if row_id in chosen and (root / "models" / name).exists():
                yield "train", f"{name}: trained on {which}"
            elif row_id in chosen:
                yield "train", f"{name}: {which} is among its rows; `dvc repro train@{name}` trains on them"
            elif row_id in rows:
                yield "train", f"{name}: {which} is not among the {len(chosen):,} rows drawn of {len(rows):,}"


def _never_collected(pool: Pool, params: Params, text: str) -> Iterator[Line]:
    """Tell a new question's nearest kept row, and what would drop it if it came last, from a source of its own."""
    from star1.lineage.nearest import Text, compare

    yield "row", f"{question_id(text)}  {_quoted(text)}"
    yield "collect", "in none of the sources collected so far"
    if not pool.deduplicated:
        yield "deduplicate", "not run so far, traced up to here; `dvc repro deduplicate` goes on"
        return
    prompts = []
    for suite, names in params.deduplicate.against.items():
        for name in names:
            table = read_if_built(pool.root, "benchmark", ["prompt_id", "prompt"], suite=suite, benchmark=name)
            if table is None:
                yield "deduplicate", f"without {name}, which is not here; `dvc repro benchmark@{name}` builds it"
            else:
                rows = table.to_pylist()
                prompts += [Text(f"the prompt {name}:{row['prompt_id']}", row["prompt"]) for row in rows]
    kept = [Text(f"{row['id']} of {row['source']}", row["question"]) for row in pool.collection.to_pylist()]
    for name in sorted(params.published):
        published = read_if_built(pool.root, "published", ["id", "question"], name=name)
        rows = [] if published is None else published.to_pylist()
        kept += [Text(f"{row['id']}, published as {name}", row["question"]) for row in rows]
    near, matches = compare(text, prompts, kept, params.deduplicate)
    if near is None:
        yield "deduplicate", "no kept row shares a word with it"
    else:
        nearest = f"nearest kept row: {near.text.name}, cosine {near.value:.3f}: {_quoted(near.text.question)}"
        yield "deduplicate", nearest
    for match, would in zip(matches, ["would be dropped", *["and if not for that"] * len(matches)], strict=False):
        yield "deduplicate", f"{would}: {_reason(match.reason, match.value, match.detail)}"
        yield "deduplicate", f"because of {match.text.name}: {_quoted(match.text.question)}"
    if not matches:
        yield "deduplicate", "neither n-grams nor TF-IDF would drop it"
    yield "deduplicate", "looked at as the last row, against kept rows and benchmarks; embeddings were not looked at"


def _reason(reason: str, value: float | None, detail: str | None) -> str:
    """Say a reason with what decided: the cosine or n-gram, the step and probability, or the scores."""
    if reason in ledger.REASONS:
        parts = [f"cosine {value:.3g}" if value is not None else None, _quoted(detail) if detail else None]
    elif reason == OVER_REPRESENTED:
        parts = [f"at {detail}", f"probability {value:.3g}"]
    else:
        parts = [f"lowest score {value:g}" if value is not None else None, detail]
    return ", ".join([reason, *(part for part in parts if part)])


def _unaccounted(stage: str) -> str:
    return f"neither kept nor in the lineage: the tables are of different runs; `dvc repro {stage}` mends it"


def _quoted(text: str | None) -> str:
    """Return a text in quotation marks, a long one cut and its length told."""
    if text is None:
        return "(its text is not here)"
    return f"“{text}”" if len(text) <= SHOWN else f"“{text[:SHOWN]}…” ({len(text):,} characters)"
