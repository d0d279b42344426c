"""The parts of the page: funnel, composition, curves, and how values and odd characters are shown."""

import pandas as pd
import pytest

from star1.report import data
from star1.report.curves import curve
from star1.report.display import number, percent_css, signed, visible
from tests.report.test_page import inputs


def test_funnel_adds_up_the_sources_and_keeps_the_pipelines_order() -> None:
    shuffled = dict(reversed(inputs().rows.items()))
    harmful, benign = data.funnel(shuffled)
    assert [stage["name"] for stage in harmful["stages"]] == ["collect", "deduplicate", "select"]
    assert [stage["name"] for stage in benign["stages"]] == ["rewrite"]
    collect, deduplicate, select = harmful["stages"]
    assert (collect["in"], collect["out"], collect["dropped"], collect["lost"]) == (
        101,
        100,
        [("empty question", 1)],
        0,
    )
    assert deduplicate["dropped"] == [("self n-gram", 25), ("TF-IDF", 5)]
    assert select["width"] == pytest.approx(100 * 3 / 101)


def test_composition_compares_shares_and_evenness() -> None:
    categories, sources = data.composition(inputs().pool, inputs().selected)
    first = categories["rows"][0]
    assert (first["name"], first["pool_share"], first["selected_share"]) == ("Self-Harm", 75.0, 50.0)
    assert sources["even"] == (pytest.approx(1.7548, abs=1e-4), pytest.approx(2.0))


def test_curve_is_thinned_to_means_and_skips_what_is_not_finite() -> None:
    frame = pd.DataFrame({"step": range(1, 1002), "loss": [float("nan")] + [2.0, 4.0] * 500})
    found = curve("run", frame)
    assert (found["not_finite"], found["per_point"], found["steps"], found["top"]) == (1, 5, 1001, 4.0)
    assert len(found["points"].split()) == 200
    assert found["from"] == pytest.approx((2 + 4 + 2 + 4 + 2) / 5)
    assert curve("run", frame.head(1))["points"] == ""


def test_curve_of_a_loss_that_is_zero_throughout_is_drawn() -> None:
    assert curve("run", pd.DataFrame({"step": [0], "loss": [0.0]}))["points"] == "0.0,120.0"


def test_values_are_shown_with_a_real_minus_and_a_dash_for_nothing() -> None:
    assert (number(93.345), number(None)) == ("93.3", "\u2013")
    assert (signed(2.04), signed(-2.04), signed(None)) == ("+2.0", "\u22122.0", "\u2013")
    assert (percent_css(-1), percent_css(50), percent_css(101)) == ("0.00%", "50.00%", "100.00%")


def test_words_and_emoji_keep_their_joiners() -> None:
    assert visible("क्\u200dष 👩\u200d💻 a\u00a0b\r\nc") == "क्\u200dष 👩\u200d💻 a b\nc"
    assert visible("a\u200bb\ufeff\u2028\r") == "a⟨U+200B⟩b⟨U+FEFF⟩⟨U+2028⟩⟨U+000D⟩"
