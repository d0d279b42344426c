"""The compiled inner loop of the n-gram filters."""

import numpy as np

from star1.dedup.compiled import compiled
from star1.dedup.corpus import Numbers, Words


@compiled
def find_shared_ngrams(
    words: Words,
    starts: Numbers,
    indexed: Numbers,
    queries: Numbers,
    n: int,
    grow: bool,
    found: Numbers,
    found_at: Numbers,
) -> None:
    """Look up each query's n-grams among those of the indexed documents, and of earlier unmatched queries if `grow`.

    The n-grams stand in an open-addressing hash table of positions in `words`. A hash only says where to look: an
    entry counts as found when its n words are equal. An n-gram keeps the position where it was first seen.

    For query q, `found[q]` is the position of the earliest copy of its first shared n-gram, or -1, and `found_at[q]`
    where that n-gram stands in the query itself.
    """
    grams = 0
    for document in indexed:
        grams += max(starts[document + 1] - starts[document] - n + 1, 0)
    if grow:
        for document in queries:
            grams += max(starts[document + 1] - starts[document] - n + 1, 0)
    size = 1024
    while size < 2 * grams:
        size *= 2
    table = np.full(size, -1, dtype=np.int64)

    for document in indexed:
        for position in range(starts[document], starts[document + 1] - n + 1):
            slot = _slot(words, table, position, n)
            if table[slot] < 0:
                table[slot] = position
    for q in range(len(queries)):
        first, end = starts[queries[q]], starts[queries[q] + 1] - n + 1
        found[q] = -1
        for position in range(first, end):
            slot = _slot(words, table, position, n)
            if table[slot] >= 0:
                found[q] = table[slot]
                found_at[q] = position
                break
        if grow and found[q] < 0:
            for position in range(first, end):
                slot = _slot(words, table, position, n)
                if table[slot] < 0:
                    table[slot] = position


@compiled
def _slot(words: Words, table: Numbers, position: int, n: int) -> np.int64:
    """Return the table's slot that holds the n-gram at `position`, or the free one where it belongs."""
    mixed = np.uint64(n)
    for word in words[position : position + n]:
        mixed = (mixed ^ np.uint64(word)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    slot = np.int64(mixed & np.uint64(len(table) - 1))
    while table[slot] >= 0:
        held = table[slot]
        equal = True
        for offset in range(n):
            if words[held + offset] != words[position + offset]:
                equal = False
                break
        if equal:
            break
        slot = (slot + 1) & (len(table) - 1)
    return slot
