"""A difference in brief, for a terminal, a comment or a page: files of one artifact as one line, reasons by count."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from star1.artifacts import ARTIFACTS
from star1.lineage.diff import Table
from star1.report.display import MINUS, NOTHING

APART = 2  # files of one artifact that get a line each; more are added up


@dataclass(frozen=True)
class Line:
    """Rows that moved in a file, or in several files of one artifact; `rows` are None where no state has the file."""

    name: str
    rows: tuple[int | None, int | None]
    added: int
    removed: int
    changed: int
    columns: dict[str, int]
    schema: list[str]


def by_artifact(tables: list[Table]) -> list[Line]:
    """Return a line for each file that differs, or for an artifact with more than APART of them, in the map's order.

    Files whose rows are all the same, with the same columns, are left out: only their bytes differ.
    """
    groups: dict[str, list[Table]] = {name: [] for name in ARTIFACTS}
    for table in tables:
        if not unmoved(table):
            groups[table.artifact].append(table)
    lines = []
    for name, group in groups.items():
        folder = ARTIFACTS[name].path.split("{")[0]
        if len(group) > APART:
            lines.append(_line(f"{folder} ({len(group)} files)", group))
        else:
            lines += [_line(table.path, [table]) for table in group]
    return lines


def rows_text(rows: tuple[int | None, int | None]) -> str:
    """Return "1,000 → 998", with a dash where a state has no such table."""
    return " → ".join(NOTHING if count is None else f"{count:,}" for count in rows)


def beyond_chance(entry: dict[str, Any]) -> bool:
    """Say whether a benchmark's 95 % interval leaves out zero."""
    change = entry["change"]
    return change["n"] > 0 and not change["low"] <= 0 <= change["high"]


def unmoved(table: Table) -> bool:
    """Say whether two files hold the same rows and columns although their bytes differ."""
    moved = table.diff
    return None not in moved.rows and not (len(moved.added) or len(moved.removed) or len(moved.changed) or moved.schema)


def reasons(rows: list[dict[str, Any]]) -> list[tuple[str, int]]:
    """Return how many rows of `selected.moved` there are by "stage: reason", most first."""
    counts = Counter(f"{row['stage']}: {row['reason']}" if row["stage"] else row["reason"] for row in rows)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def why(row: dict[str, Any]) -> str:
    """Return a row's reason with what decided: "deduplicate: TF-IDF of an earlier row, 0.851, because of ..."."""
    parts = [f"{row['stage']}: {row['reason']}" if row["stage"] else row["reason"]]
    if row["value"] is not None:
        parts.append(f"{row['value']:.3g}")
    if row["detail"]:
        parts.append(str(row["detail"]))
    if row["because_of"]:
        parts.append(f"because of {row['because_of']}" + (f" “{row['because']}”" if row["because"] else ""))
    return ", ".join(parts)


def ranked(benchmarks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the benchmarks in order: those beyond chance first, then the largest changes."""

    def rank(entry: dict[str, Any]) -> tuple[bool, float]:
        return not beyond_chance(entry), -abs(entry["change"]["value"] or 0.0)

    return sorted(benchmarks, key=rank)


def param(entry: dict[str, Any]) -> str:
    """Return "old → new" of a param; of a list of single values what it gained and lost."""
    old, new = entry["old"], entry["new"]
    if entry["change"] != "changed":
        return f"{entry['change']}: {_value(new if entry['change'] == 'added' else old)}"
    lists = isinstance(old, list) and isinstance(new, list)
    if lists and all(isinstance(value, str | int | float) for value in (*old, *new)):
        gained = [f"+{_value(value)}" for value in new if value not in old]
        lost = [f"{MINUS}{_value(value)}" for value in old if value not in new]
        return ", ".join(gained + lost) or "the same entries, in another order or number"
    return f"{_value(old)} → {_value(new)}"


def _value(value: Any) -> str:
    bare = isinstance(value, str) and not _like_another(value)
    return value if bare else json.dumps(value, ensure_ascii=False, default=str)


def _like_another(text: str) -> bool:
    """Say whether a text without quotation marks would look like a number, a truth value or nothing."""
    try:
        float(text)
    except ValueError:
        return text in ("", "true", "false", "null")
    return True


def _line(name: str, group: list[Table]) -> Line:
    columns: dict[str, int] = defaultdict(int)
    for table in group:
        for column, count in table.diff.columns.items():
            columns[column] += count
    rows = [[count for count in side if count is not None] for side in zip(*(t.diff.rows for t in group), strict=True)]
    return Line(
        name,
        (sum(rows[0]) if rows[0] else None, sum(rows[1]) if rows[1] else None),
        added=sum(len(table.diff.added) for table in group),
        removed=sum(len(table.diff.removed) for table in group),
        changed=sum(len(table.diff.changed) for table in group),
        columns=dict(sorted(columns.items(), key=lambda item: -item[1])),
        schema=list(dict.fromkeys(said for table in group for said in table.diff.schema)),
    )
