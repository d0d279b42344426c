"""The card of a data set, whose published rows may name any source."""

import re

import pandas as pd

from star1.export.cards import data_card
from star1.export.provenance import Provenance

HOSTILE = "<script>alert(1)</script>\n| x | \x1b[2J\u202eevil `a` $x$ {{ 7 * 7 }} \u2028# head"


def test_a_source_of_any_name_is_a_cell_of_text() -> None:
    rows = pd.DataFrame({"source": [HOSTILE, HOSTILE, "b"]})
    card = data_card("star1", rows, Provenance({}, {}))
    table = card.partition("| source | rows | read from |\n|---|---|---|\n")[2].partition("\n\n")[0].split("\n")
    assert [re.split(r"(?<!\\)\|", line)[2].strip() for line in table] == ["2", "1"]
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 4 and line.isprintable() for line in table)
    assert table[0].startswith(r"| \<script\>alert(1)\</script\> \| x \| ⟨U+001B⟩\[2J⟨U+202E⟩evil")
