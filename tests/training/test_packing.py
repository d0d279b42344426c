"""Rows: every sequence once, under the budget, as many on every rank; and no token sees another sequence."""

from itertools import pairwise, product

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, Qwen2Config

from star1.training.attention import PACKED
from star1.training.examples import IGNORED, Example
from star1.training.loss import SequenceLoss
from star1.training.packing import ROW_COST, lay_out, tensors

steps = st.integers(1, 4).flatmap(
    lambda ranks: st.tuples(
        st.just(ranks),
        st.integers(1, 12).flatmap(lambda n: st.lists(st.integers(1, 300), min_size=n * ranks, max_size=n * ranks)),
    )
)


@given(steps, st.integers(1, 600), st.booleans())
def test_every_sequence_is_laid_once_under_the_budget(step: tuple[int, list[int]], tokens: int, packed: bool) -> None:
    ranks, lengths = step
    layout = lay_out(lengths, tokens, ranks, packed)
    rows = [row for rank in layout for row in rank]
    assert sorted(i for row in rows for i in row) == list(range(len(lengths)))
    assert all(rows), "an empty row"
    assert len({len(rank) for rank in layout}) == 1
    for row in rows:
        taken = sum(lengths[i] for i in row) if packed else max(lengths[i] for i in row) * len(row)
        assert taken <= tokens or len(row) == 1
    assert lay_out(lengths, tokens, ranks, packed) == layout


@given(st.lists(st.integers(20, 900), min_size=64, max_size=128))
def test_packed_rows_are_balanced(lengths: list[int]) -> None:
    loads = [sum(lengths[i] for i in row) for row in lay_out(lengths, 8192, 1, True)[0]]
    assert max(loads) - min(loads) <= max(lengths)


@settings(max_examples=200)
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


def model(attention: str) -> SequenceLoss:
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=40, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, initializer_range=0.3,
    )  # fmt: skip
    return SequenceLoss(AutoModelForCausalLM.from_config(config, attn_implementation=attention))


sequences = st.lists(st.lists(st.integers(0, 39), min_size=2, max_size=12), min_size=3, max_size=6)


@settings(max_examples=30)
@given(sequences, st.randoms(use_true_random=False))
def test_neighbours_in_a_packed_row_change_no_token_s_loss(ids: list[list[int]], random: object) -> None:
    packed, padded = model(PACKED), model("sdpa")
    examples = [Example(one, [IGNORED, *one[1:]]) for one in ids]
    order = list(range(len(ids)))
    random.shuffle(order)  # type: ignore[attr-defined]

    def token_losses(net: SequenceLoss, order: list[int], pack: bool) -> dict[int, list[float]]:
        row = tensors([examples[i] for i in order], pack, torch.device("cpu"))
        with torch.no_grad():
            losses = net(row)[3]
        return {i: losses[row.owner == place].tolist() for place, i in enumerate(order)}

    first, second = (token_losses(packed, each, True) for each in (list(range(len(ids))), order))
    alone = {i: token_losses(padded, [i], False)[i] for i in order}
    for i in order:
        torch.testing.assert_close(first[i], second[i], rtol=0, atol=1e-6)
        torch.testing.assert_close(first[i], alone[i], rtol=0, atol=1e-5)
