"""A difference as one HTML file in the report's style, without scripts; nothing of it is markup from data."""

from star1.lineage import digest
from star1.lineage.diff import Diff
from star1.report.page import style, templates

SHOWN = 200  # entries of a section: flips with both replies, questions, outputs, lines of a text


def page(found: Diff) -> str:
    """Return the page of a difference. Sections longer than SHOWN say so."""
    lines = digest.by_artifact(found.tables)
    moved = found.selected or {"came": [], "went": []}
    parts = (found.missing, found.notes, found.params, found.texts, lines, moved["came"], moved["went"])
    return (
        templates()
        .get_template("diff.html")
        .render(
            css=style(),
            found=found,
            tables=lines,
            same=len(found.same) + sum(map(digest.unmoved, found.tables)),
            benchmarks=digest.ranked(found.benchmarks),
            flips=found.flips[:SHOWN],
            empty=not any((*parts, found.benchmarks, found.flips, found.others)),
            shown=SHOWN,
            param=digest.param,
            reasons=digest.reasons,
            why=digest.why,
        )
    )
