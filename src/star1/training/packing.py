"""The sequences of an optimizer step, laid into rows under a token budget, and rows made into tensors.

On a GPU a row is many sequences end to end, without padding; on a CPU it is sequences side by side, padded on the
right. Neither changes the loss, which is a mean over each sequence first.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import torch

from star1.training.examples import IGNORED, Example

if TYPE_CHECKING:
    from star1.training.launch import Launch
    from star1.training.settings import Training

ROW_COST = 32  # fixed cost of a forward pass, in tokens: 5 ms on a CPU at the miniature's size


@dataclass(frozen=True)
class Row:
    """One forward pass, as tensors: R rows of T tokens, of which N predict a token that counts.

    input_ids and position_ids: (R, T). where (N,): flat positions that predict; targets (N,): what they should; owner
    (N,): the number, within the row, of the sequence that each belongs to; sequences: how many there are.
    starts: (sequences + 1,), int32, the flat position at which each packed sequence starts; None for a padded row.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    where: torch.Tensor
    targets: torch.Tensor
    owner: torch.Tensor
    sequences: int
    longest: int
    starts: torch.Tensor | None


def packs(launch: "Launch", settings: "Training") -> bool:
    """Say whether rows are packed: on GPUs, whose variable-length attention takes half precision only."""
    return not launch.cpu and settings.precision == "bfloat16"


def lay_out(lengths: Sequence[int], tokens: int, ranks: int, packed: bool) -> list[list[list[int]]]:
    """Return rank -> rows -> numbers of sequences; every rank has as many rows, none of them empty.

    lengths: of the step's sequences, in tokens; tokens: the budget of a row, padding counted, which only a sequence
    longer than it may pass. Equal numbers of rows matter: in ZeRO-3 each forward pass is a collective of all ranks.
    Raises ValueError where the sequences do not divide by the ranks.
    """
    if len(lengths) % ranks:
        raise ValueError(f"{len(lengths)} sequences do not divide by {ranks} ranks")
    longest_first = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    return (_packed if packed else _padded)(longest_first, lengths, tokens, ranks)


def _packed(longest_first: list[int], lengths: Sequence[int], tokens: int, ranks: int) -> list[list[list[int]]]:
    """Put the longest sequence left into the emptiest row, until none is left; rows then differ by a few percent."""
    count = ranks * max(1, -(-sum(lengths) // (tokens * ranks)))
    while True:
        rows: list[list[int]] = [[] for _ in range(min(count, len(lengths)))]
        emptiest = [(0, row) for row in range(len(rows))]
        for i in longest_first:
            load, row = emptiest[0]
            rows[row].append(i)
            heapq.heapreplace(emptiest, (load + lengths[i], row))
        if all(len(rows[row]) == 1 or load <= tokens for load, row in emptiest):
            break
        count += ranks
    rows.sort(key=lambda row: -sum(lengths[i] for i in row))
    return [rows[rank::ranks] for rank in range(ranks)]


def _padded(longest_first: list[int], lengths: Sequence[int], tokens: int, ranks: int) -> list[list[list[int]]]:
    """Sort by length, deal round-robin to ranks, and cut so that padding plus ROW_COST is smallest.

    Dynamic programming finds the cuts for the first rank, whose sequences are the longest: cheapest[a] is the cost of
    all places from a on, and the end of the row that starts at a.
    """
    hands = [longest_first[rank::ranks] for rank in range(ranks)]
    longest = [lengths[i] for i in hands[0]]
    cheapest = [(0, 0)] * (len(longest) + 1)
    for a in reversed(range(len(longest))):
        most = a + max(1, tokens // longest[a])
        cheapest[a] = min(
            (longest[a] * (b - a) + ROW_COST + cheapest[b][0], b) for b in range(a + 1, min(most, len(longest)) + 1)
        )
    cuts = [0]
    while cuts[-1] < len(longest):
        cuts.append(cheapest[cuts[-1]][1])
    return [[hand[a:b] for a, b in pairwise(cuts)] for hand in hands]


def tensors(examples: Sequence[Example], packed: bool, device: torch.device) -> Row:
    """Make a row of its sequences. Position t predicts token t + 1 of its own sequence; positions restart at each."""
    lengths = [len(e.input_ids) for e in examples]
    longest = max(lengths)
    starts = [0, *accumulate(lengths)] if packed else [row * longest for row in range(len(examples) + 1)]
    input_ids = torch.zeros(starts[-1], dtype=torch.long)
    position_ids = torch.zeros(starts[-1], dtype=torch.long)
    where, targets, owner = [], [], []
    for number, (example, start, length) in enumerate(zip(examples, starts, lengths, strict=False)):
        input_ids[start : start + length] = torch.tensor(example.input_ids)
        position_ids[start : start + length] = torch.arange(length)
        labels = torch.tensor(example.labels[1:], dtype=torch.long)
        counted = (labels != IGNORED).nonzero().flatten()
        where.append(counted + start)
        targets.append(labels[counted])
        owner.append(torch.full_like(counted, number))
    shape = (1, -1) if packed else (len(examples), longest)
    return Row(
        input_ids=input_ids.view(shape).to(device),
        position_ids=position_ids.view(shape).to(device),
        where=torch.cat(where).to(device),
        targets=torch.cat(targets).to(device),
        owner=torch.cat(owner).to(device),
        sequences=len(examples),
        longest=longest,
        starts=torch.tensor(starts, dtype=torch.int32, device=device) if packed else None,
    )
