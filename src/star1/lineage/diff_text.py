"""A difference as lines of a terminal, 120 columns at most, counts first."""

from collections.abc import Iterator
from typing import Any

from rich.cells import cell_len, set_cell_size

from star1.lineage import digest
from star1.lineage.diff import Diff
from star1.report.display import MINUS, NOTHING, number, signed, visible

WIDTH = 120
SHOWN = 8  # entries of a section
ROWS, DIFF_LINES = 4, 6  # questions or replies of a kind, lines of a text's difference
PARAM, MODEL = 60, 20  # cells of a name
TABLE = (46, 68)


def text(found: Diff) -> Iterator[str]:
    """Yield the lines; nothing in them hides, reorders text or moves the cursor."""
    yield fit(f"{found.old} → {found.new}")
    nothing = True
    for section in (_missing, _params, _texts, _tables, _selected, _benchmarks, _flips, _others):
        for line in section(found):
            nothing = False
            yield fit(line)
    if nothing:
        yield "Nothing differs."


def fit(line: str) -> str:
    """Return a line of at most WIDTH cells, safe to print."""
    shown = str(visible(line[: WIDTH * 2])).replace("\n", "↵").replace("\t", " ")
    return shown if cell_len(shown) <= WIDTH else set_cell_size(shown, WIDTH - 1) + "…"


def _name(name: str, width: int) -> str:
    """Return a name in `width` cells, of a longer one the beginning and the end: names often differ at the end."""
    shown = fit(name)
    if cell_len(shown) > width:
        end = width // 2
        shown = f"{set_cell_size(shown, width - end - 1)}…{set_cell_size(shown[::-1], end)[::-1]}"
    return set_cell_size(shown, width)


def _more(total: int, shown: int, what: str = "") -> Iterator[str]:
    if total > shown:
        yield f"  and {total - shown:,} more{what}"


def _missing(found: Diff) -> Iterator[str]:
    if not (found.missing or found.notes):
        return
    yield ""
    yield f"Not compared: {len(found.missing) + len(found.notes):,}"
    commands: dict[tuple[str, str, str], list[str]] = {}
    for entry in found.missing:
        commands.setdefault((entry.state, entry.problem, entry.command), []).append(entry.path)
    for (state, problem, command), paths in list(commands.items())[:SHOWN]:
        others = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
        yield f"  {state}: {paths[0]}{others}: {problem}"
        yield f"    {command}"
    yield from _more(len(commands), SHOWN)
    yield from (f"  {note}" for note in found.notes[:SHOWN])
    yield from _more(len(found.notes), SHOWN)


def _params(found: Diff) -> Iterator[str]:
    if found.params:
        yield ""
        yield f"Params: {len(found.params):,} differ"
        width = min(max(cell_len(fit(entry["name"])) for entry in found.params[:SHOWN]), PARAM)
        for entry in found.params[:SHOWN]:
            yield f"  {_name(entry['name'], width)}  {digest.param(entry)}"
        yield from _more(len(found.params), SHOWN)


def _texts(found: Diff) -> Iterator[str]:
    if found.texts:
        yield ""
        yield f"Policies and prompts: {len(found.texts):,} differ"
        for entry in found.texts[:SHOWN]:
            signs = [line[:1] for line in entry["diff"]]
            yield f"  {entry['path']}  {entry['change']}, +{signs.count('+')} {MINUS}{signs.count('-')} lines"
            yield from (f"    {line}" for line in entry["diff"][:DIFF_LINES])
            yield from (f"  {line}" for line in _more(len(entry["diff"]), DIFF_LINES))
        yield from _more(len(found.texts), SHOWN)


def _tables(found: Diff) -> Iterator[str]:
    lines = digest.by_artifact(found.tables)
    if not lines:
        return
    unmoved = sum(map(digest.unmoved, found.tables))
    same = f", {len(found.same) + unmoved:,} hold the same rows" if found.same or unmoved else ""
    yield ""
    yield f"Tables: {len(found.tables) - unmoved:,} differ{same}"
    width = min(max(TABLE[0], *(cell_len(fit(line.name)) for line in lines)), TABLE[1])
    yield f"  {'':<{width}} {'rows':>19} {'added':>9} {'removed':>9} {'changed':>9}"
    for line in lines:
        added, removed = f"+{line.added:,}", f"{MINUS}{line.removed:,}"
        figures = f"{digest.rows_text(line.rows):>19} {added:>9} {removed:>9} {line.changed:>9,}"
        yield f"  {_name(line.name, width)} {figures}"
        if line.columns:
            yield "    changed in " + ", ".join(f"{name} {count:,}" for name, count in line.columns.items())
        if line.schema:
            yield f"    columns: {'; '.join(line.schema)}"


def _selected(found: Diff) -> Iterator[str]:
    moved = found.selected
    if moved is None or not (moved["came"] or moved["went"]):
        return
    yield ""
    yield f"Questions of STAR-1: {len(moved['came']):,} came, {len(moved['went']):,} went"
    for kind, lack, sign in (("came", found.old, "+"), ("went", found.new, MINUS)):
        reasons = digest.reasons(moved[kind])
        for reason, count in reasons[:SHOWN]:
            yield f"  {sign}{count:,}  not in {lack}: {reason}"
        yield from _more(len(reasons), SHOWN, " reasons")
        for row in moved[kind][:ROWS]:
            yield f"    {sign} {row['id']} {row['source']}  “{row['question']}”"
            yield f"        {digest.why(row)}"
        yield from (f"  {line}" for line in _more(len(moved[kind]), ROWS))


def _benchmarks(found: Diff) -> Iterator[str]:
    if not found.benchmarks:
        return
    yield ""
    beyond = sum(map(digest.beyond_chance, found.benchmarks))
    yield f"Benchmarks: {len(found.benchmarks):,}, on the prompts of both states; {beyond:,} changed beyond chance"
    figures = f"{'old':>6} {'new':>6} {'change':>7}  {'95 % interval':<18} {'gained':>6} {'lost':>6}"
    yield f"  {'model':<{MODEL}} {'benchmark':<{MODEL}} {'prompts':>7} {figures}"
    for entry in digest.ranked(found.benchmarks)[:SHOWN]:
        yield _benchmark(entry)
    yield from _more(len(found.benchmarks), SHOWN)


def _benchmark(entry: dict[str, Any]) -> str:
    names = " ".join(_name(entry[name], MODEL) for name in ("model", "benchmark"))
    start = f"  {names} {entry['prompts']:>7,}"
    change = entry["change"]
    shares = f"{number(entry['old']['value']):>6} {number(entry['new']['value']):>6} {signed(change['value']):>7}"
    interval = f"{signed(change['low'])} to {signed(change['high'])}" if change["n"] else NOTHING
    return f"{start} {shares}  {interval:<18} {entry['gained']:>6,} {entry['lost']:>6,}"


def _flips(found: Diff) -> Iterator[str]:
    if not found.flips:
        return
    kinds = [flip["kind"] for flip in found.flips]
    yield ""
    counts = ", ".join(f"{kinds.count(kind):,} {kind}" for kind in ("lost", "gained", "other") if kind in kinds)
    yield f"Verdicts: {len(kinds):,} flipped: {counts}"
    for flip in found.flips[:ROWS]:
        sample = f" sample {flip['sample']}" if flip["sample"] else ""
        name = f"{flip['model']} {flip['benchmark']} {flip['prompt_id']}{sample}"
        yield f"  {name}: {flip['old']['verdict']} → {flip['new']['verdict']}  “{flip['prompt']}”"
        for side in ("old", "new"):
            yield f"    {side}: {flip[side].get('answer') or flip[side].get('response') or '(empty)'}"
    yield from _more(len(kinds), ROWS)


def _others(found: Diff) -> Iterator[str]:
    if found.others:
        yield ""
        yield f"Other outputs: {len(found.others):,} differ"
        for entry in found.others[:SHOWN]:
            yield f"  {entry['path']}  {entry['change']}"
        yield from _more(len(found.others), SHOWN)
