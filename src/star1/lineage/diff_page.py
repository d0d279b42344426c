"""A difference as one HTML file in the report's style, without scripts; nothing of it is markup from data."""

from pathlib import Path

import jinja2
from markupsafe import Markup

from star1.lineage import digest
from star1.lineage.diff import Diff
from star1.report import display

SHOWN = 200  # entries of a section: flips with both replies, questions, outputs, lines of a text


def page(found: Diff) -> str:
    """Return the page of a difference. Sections longer than SHOWN say so."""
    folder = Path(display.__file__).parent  # with the report's own style and macros
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        finalize=display.visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": display.number, "signed": display.signed, "thousands": display.count}
    environment.filters |= {"css": display.percent_css}  # for macros.html
    lines = digest.by_artifact(found.tables)
    moved = found.selected or {"came": [], "went": []}
    parts = (found.missing, found.notes, found.params, found.texts, lines, moved["came"], moved["went"])
    return environment.get_template("diff.html").render(
        css=Markup((folder / "page.css").read_text(encoding="utf-8")),
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
