"""Padded rows are cut where they take least: against every way of cutting them."""

from itertools import pairwise, product

from hypothesis import given, settings
from hypothesis import strategies as st

from star1.training.packing import ROW_COST, lay_out


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=1, max_size=9), st.integers(1, 1500))
def test_no_way_of_cutting_takes_less(lengths: list[int], tokens: int) -> None:
    (rows,) = lay_out(lengths, tokens, ranks=1, packed=False)
    assert sorted(i for row in rows for i in row) == list(range(len(lengths)))
    taken = sum(len(row) * max(lengths[i] for i in row) + ROW_COST for row in rows)
    falling = sorted(lengths, reverse=True)
    costs = []
    for inner in product([False, True], repeat=len(lengths) - 1):
        cuts = [0, *(place for place, cut in enumerate(inner, 1) if cut), len(lengths)]
        sizes = [(b - a, falling[a]) for a, b in pairwise(cuts)]
        if all(count == 1 or count * longest <= tokens for count, longest in sizes):
            costs.append(sum(count * longest + ROW_COST for count, longest in sizes))
    assert taken == min(costs)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(1, 300), min_size=2, max_size=24), st.integers(1, 4), st.integers(1, 1500))
def test_ranks_have_as_many_rows_and_each_keeps_the_budget(lengths: list[int], ranks: int, tokens: int) -> None:
    lengths = lengths * ranks
    dealt = lay_out(lengths, tokens, ranks, packed=False)
    assert sorted(i for rank in dealt for row in rank for i in row) == list(range(len(lengths)))
    assert len({len(rank) for rank in dealt}) == 1
    for row in (row for rank in dealt for row in rank):
        assert len(row) == 1 or len(row) * max(lengths[i] for i in row) <= tokens
