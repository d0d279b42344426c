"""A difference as a short Markdown comment: counts and figures, no text of a question or a reply."""

import re
from collections.abc import Iterator

from star1.lineage import digest
from star1.lineage.diff import Diff
from star1.report.display import MINUS, number, signed, visible

SHOWN, OTHERS = 15, 5  # lines of a table, outputs that are no tables
LONG, SENTENCE = 80, 500  # characters of a value, of a command or a note


def markdown(found: Diff) -> Iterator[str]:
    """Yield the lines of the comment. What comes from data stands in code, where it can be no markup and no mention."""
    yield f"### STAR-1: {code(found.old)} → {code(found.new)}"
    sections = [list(section(found)) for section in (_missing, _inputs, _tables, _selected, _benchmarks, _others)]
    for section in sections:
        if section:
            yield ""
            yield from section
    if not any(sections):
        yield ""
        yield "Nothing differs."


def code(value: object, longest: int = LONG) -> str:
    """Return a value as inline code for a table's cell, cut to `longest` characters."""
    text = re.sub(r"\s+", " ", str(visible(str(value)[: longest * 2]))).replace("`", "'").strip() or " "
    cut = f"{text[:longest]}…" if len(text) > longest else text
    return "`" + cut.replace("|", r"\|") + "`"  # a table's cell ends at a bar, in code too


def _rest(total: int) -> Iterator[str]:
    if total > SHOWN:
        yield ""
        yield f"and {total - SHOWN:,} more"


def _more(total: int, what: str = "") -> Iterator[str]:
    """Yield the last entry of a list that is cut."""
    if total > SHOWN:
        yield f"- and {total - SHOWN:,} more{what}"


def _missing(found: Diff) -> Iterator[str]:
    commands: dict[tuple[str, str, str], int] = {}
    for entry in found.missing:
        key = (entry.state, entry.problem, entry.command)
        commands[key] = commands.get(key, 0) + 1
    for (state, problem, command), count in list(commands.items())[:SHOWN]:
        yield f"- {count:,} of {code(state)} not compared, {code(problem)}: {code(command, SENTENCE)}"
    yield from _more(len(commands))
    yield from (f"- {code(note, SENTENCE)}" for note in found.notes[:SHOWN])
    yield from _more(len(found.notes))


def _inputs(found: Diff) -> Iterator[str]:
    if found.params or found.texts:
        yield "| params, policies, prompts | |"
        yield "|---|---|"
        rows = [(entry["name"], digest.param(entry)) for entry in found.params]
        for entry in found.texts:
            signs = [line[:1] for line in entry["diff"]]
            rows.append((entry["path"], f"{entry['change']}, +{signs.count('+')} {MINUS}{signs.count('-')} lines"))
        for name, change in rows[:SHOWN]:
            yield f"| {code(name)} | {code(change)} |"
        yield from _rest(len(rows))


def _tables(found: Diff) -> Iterator[str]:
    lines = digest.by_artifact(found.tables)
    if lines:
        yield "| table | rows | added | removed | changed |"
        yield "|---|--:|--:|--:|--:|"
        for line in lines:
            moved = f"+{line.added:,} | {MINUS}{line.removed:,} | {line.changed:,}"
            yield f"| {code(line.name)} | {digest.rows_text(line.rows)} | {moved} |"


def _selected(found: Diff) -> Iterator[str]:
    moved = found.selected
    if moved is None or not (moved["came"] or moved["went"]):
        return
    yield f"**Questions of STAR-1**: {len(moved['came']):,} came, {len(moved['went']):,} went."
    yield ""
    for kind, lack, sign in (("came", found.old, "+"), ("went", found.new, MINUS)):
        reasons = digest.reasons(moved[kind])
        for reason, count in reasons[:SHOWN]:
            yield f"- {sign}{count:,}, not in {code(lack)}: {code(reason)}"
        yield from _more(len(reasons), " reasons")


def _benchmarks(found: Diff) -> Iterator[str]:
    if not found.benchmarks:
        return
    yield "| model | benchmark | prompts | old | new | change (95 %) | gained | lost |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|"
    for entry in digest.ranked(found.benchmarks)[:SHOWN]:
        start = f"| {code(entry['model'])} | {code(entry['benchmark'])} | {entry['prompts']:,} |"
        change, kinds = entry["change"], f"{entry['gained']:,} | {entry['lost']:,} |"
        figure = f"**{signed(change['value'])}**" if digest.beyond_chance(entry) else signed(change["value"])
        interval = f"{figure} ({signed(change['low'])} to {signed(change['high'])})" if change["n"] else figure
        yield f"{start} {number(entry['old']['value'])} | {number(entry['new']['value'])} | {interval} | {kinds}"
    yield from _rest(len(found.benchmarks))


def _others(found: Diff) -> Iterator[str]:
    if found.others:
        entries = ", ".join(f"{code(entry['path'])} {entry['change']}" for entry in found.others[:OTHERS])
        rest = f" and {len(found.others) - OTHERS:,} more" if len(found.others) > OTHERS else ""
        yield f"{len(found.others):,} other outputs differ: {entries}{rest}."
