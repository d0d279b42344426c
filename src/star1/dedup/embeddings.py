"""Find similar sentence embeddings: cosines of unit vectors, compared in float32, without the N x N matrix.

Decisions depend on neither the number of threads nor the size of blocks.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from star1.dedup.corpus import Floats, Numbers
from star1.dedup.encoder import Embeddings, one_thread_each

if TYPE_CHECKING:
    import torch

BLOCK_ROWS = 2048
TILE_ROWS = 4096  # at least BLOCK_ROWS: a block is compared with itself in one tile
STRETCH = 128  # products that are searched as one, for the largest
# More than bfloat16 can move a product of unit vectors by: 2 * 2^-9 for the rounded factors, 2^-9 for the rounded
# product and 2^-9 for the rounded threshold make 0.0078.
BFLOAT16_ERROR = 0.01


@one_thread_each()
def matches(vectors: Embeddings, against: Embeddings, threshold: float) -> tuple[Numbers, Floats]:
    """Find each vector's most similar vector of `against`.

    Returns (found, cosines): the row of `against` with the largest cosine that reaches the threshold, the first of
    equals, or -1. Memory beyond the inputs: a bfloat16 copy of `against` and one tile of BLOCK_ROWS x TILE_ROWS.
    """
    found, cosines = np.full(len(vectors), -1, dtype=np.int64), np.zeros(len(vectors))
    short_against = _bfloat16(against)
    scratch = _scratch()
    for begin in tqdm(range(0, len(vectors), BLOCK_ROWS), desc="compare embeddings", disable=None):
        block = vectors[begin : begin + BLOCK_ROWS]
        sizes = len(block), len(against)
        for rows, others in _candidates(_bfloat16(block), short_against, sizes, threshold, scratch):
            _improve(found, cosines, begin + rows, others, _cosines(block, rows, against, others), threshold)
    return found, cosines


@one_thread_each()
def self_matches(vectors: Embeddings, threshold: float, fixed: int = 0) -> tuple[Numbers, Floats]:
    """Find each vector's most similar earlier vector that was itself kept; returns as `matches` does.

    The first `fixed` vectors are kept whatever they are like.
    """
    import torch

    found, cosines = np.full(len(vectors), -1, dtype=np.int64), np.zeros(len(vectors))
    kept = np.empty(0, dtype=np.int64)
    short_kept = torch.zeros((_padded(len(vectors)), vectors.shape[1]), dtype=torch.bfloat16)
    scratch = _scratch()
    for begin in tqdm(range(0, len(vectors), BLOCK_ROWS), desc="compare embeddings", disable=None):
        rows = np.arange(begin, min(begin + BLOCK_ROWS, len(vectors)))
        short = _bfloat16(vectors[rows])
        sizes = len(rows), len(kept)
        for left, right in _candidates(short, short_kept[: _padded(len(kept))], sizes, threshold, scratch):
            left, right = left[rows[left] >= fixed], right[rows[left] >= fixed]
            others = kept[right]
            _improve(found, cosines, rows[left], others, _cosines(vectors, rows[left], vectors, others), threshold)
        for left, right in _candidates(short, short, (len(rows), len(rows)), threshold, scratch):
            pairs = (left < right) & (begin + right >= fixed)
            earlier, later = rows[left[pairs]], rows[right[pairs]]
            # In order: when a row's turn comes, every row before it has been decided.
            for row, begins, ends in _runs(earlier):
                if found[row] < 0:
                    others = earlier[begins:ends]
                    values = _cosines(vectors, later[begins:ends], vectors, others)
                    _improve(found, cosines, later[begins:ends], others, values, threshold)
        new = rows[found[rows] < 0]
        short_kept[len(kept) : len(kept) + len(new)] = short[new - begin]
        kept = np.concatenate([kept, new])
    return found, cosines


def _candidates(
    short: "torch.Tensor", others: "torch.Tensor", sizes: tuple[int, int], threshold: float, scratch: "torch.Tensor"
) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield (rows, columns) of the products that may reach the threshold, tile by tile, in ascending order of rows.

    bfloat16 products are several times as fast as float32 ones and only discard; what is near is compared anew.
    `sizes` says how many rows of both are vectors; what follows fills up. `scratch` holds a tile's products: fresh
    memory for each would cost a third of the time.
    """
    import torch

    # A bfloat16 above 0 is ordered as its bits are, and one below 0 has a negative number for its bits: so the search
    # for the few that are near runs over integers, first over the largest of each stretch.
    # A threshold so small that a negative product may reach it leaves nothing to discard.
    lowest = torch.tensor(threshold - BFLOAT16_ERROR, dtype=torch.bfloat16)
    least = lowest.view(torch.int16) if lowest > 0 else torch.tensor(torch.iinfo(torch.int16).min)
    for begin in range(0, len(others), TILE_ROWS):
        tile = others[begin : begin + TILE_ROWS]
        products = scratch[: len(short) * len(tile)].view(len(short), len(tile))
        torch.mm(short, tile.T, out=products)
        stretches = products.view(torch.int16).view(len(short), -1, STRETCH)
        rows, places = torch.nonzero(stretches.amax(dim=2) >= least, as_tuple=True)
        near, columns = torch.nonzero(stretches[rows, places] >= least, as_tuple=True)
        left, right = rows[near], begin + places[near] * STRETCH + columns
        vectors = (left < sizes[0]) & (right < sizes[1])
        yield left[vectors].numpy(), right[vectors].numpy()


def _scratch() -> "torch.Tensor":
    import torch

    return torch.empty(BLOCK_ROWS * TILE_ROWS, dtype=torch.bfloat16)


def _bfloat16(vectors: Embeddings) -> "torch.Tensor":
    """Round vectors, and fill up with zeros to a multiple of STRETCH."""
    import torch

    short = torch.zeros((_padded(len(vectors)), vectors.shape[1]), dtype=torch.bfloat16)
    short[: len(vectors)] = torch.from_numpy(vectors)
    return short


def _padded(rows: int) -> int:
    return -(-rows // STRETCH) * STRETCH


def _cosines(left: Embeddings, left_rows: Numbers, right: Embeddings, right_rows: Numbers) -> Embeddings:
    """Return the cosines of pairs of unit vectors: added up in float64, whatever the block, then rounded to float32."""
    values = np.empty(len(left_rows), dtype=np.float32)
    for begin in range(0, len(values), 4096):  # 4,096 pairs: 25 MB in float64
        pairs = slice(begin, begin + 4096)
        one = left[left_rows[pairs]].astype(np.float64)
        values[pairs] = np.einsum("nd,nd->n", one, right[right_rows[pairs]].astype(np.float64))
    return values


def _improve(
    found: Numbers, cosines: Floats, rows: Numbers, others: Numbers, values: Embeddings, threshold: float
) -> None:
    """Enter pairs that reach the threshold where they are more similar, or equally similar and earlier, than before."""
    # Rounding takes up to 1e-7 from the length of a unit vector, so equal ones need not reach 1.
    enough = values >= np.float32(min(threshold, 1 - 1e-6))
    rows, others, values = rows[enough], others[enough], values[enough]
    order = np.lexsort((others, -values, rows))
    rows, first = np.unique(rows[order], return_index=True)
    others, values = others[order[first]], values[order[first]]
    better = (values > cosines[rows]) | ((values == cosines[rows]) & (others < found[rows]))
    found[rows[better]] = others[better]
    cosines[rows[better]] = values[better]


def _runs(numbers: Numbers) -> Iterator[tuple[int, int, int]]:
    """Yield (number, begin, end) for each run of equal numbers in an ascending array."""
    values, begins, counts = np.unique(numbers, return_index=True, return_counts=True)
    yield from zip(values.tolist(), begins.tolist(), (begins + counts).tolist(), strict=True)
