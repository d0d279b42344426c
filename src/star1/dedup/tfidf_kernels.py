"""The compiled inner loops of the TF-IDF filters."""

import numpy as np

from star1.dedup.compiled import compiled
from star1.dedup.corpus import Bits, Floats, Numbers, Words

COMMON = 32  # terms that are in so many rows that a bit for each says nothing
BITS = 128
ONE, DE_BRUIJN, TOP = np.uint64(1), np.uint64(0x03F79D71B4CB0A89), np.uint64(58)  # which bit is the lowest one set
PLACES = np.zeros(64, dtype=np.int64)  # from the top six bits of DE_BRUIJN * 2^n to n
PLACES[[0x03F79D71B4CB0A89 * 2**n % 2**64 >> 58 for n in range(64)]] = np.arange(64)


@compiled
def count_terms(
    starts: Numbers, words: Words, word_starts: Numbers, word_terms: Words, n_terms: int, documents: Numbers
) -> tuple[Numbers, Words, Floats, int]:
    """Return (row_starts, terms, counts, n_terms): each document's distinct terms and how often each stands there.

    Terms are numbered anew, in the order in which `documents` first use them, and ascend within a row. That is the
    order in which scikit-learn keeps a row's terms, and so adds products up: any other gives another last bit.
    """
    size, longest = 0, 0
    for document in documents:
        tokens = 0
        for word in words[starts[document] : starts[document + 1]]:
            tokens += word_starts[word + 1] - word_starts[word]
        size += tokens
        longest = max(longest, tokens)
    row_starts = np.zeros(len(documents) + 1, dtype=np.int64)
    terms = np.empty(size, dtype=np.int32)
    counts = np.empty(size, dtype=np.float64)
    row = np.empty(longest, dtype=np.int32)
    number = np.full(n_terms, -1, dtype=np.int32)
    used, filled = 0, 0
    for d in range(len(documents)):
        length = 0
        for word in words[starts[documents[d]] : starts[documents[d] + 1]]:
            for term in word_terms[word_starts[word] : word_starts[word + 1]]:
                if number[term] < 0:
                    number[term] = used
                    used += 1
                row[length] = number[term]
                length += 1
        row[:length].sort()
        for t in range(length):
            if t > 0 and row[t] == row[t - 1]:
                counts[filled - 1] += 1
            else:
                terms[filled] = row[t]
                counts[filled] = 1
                filled += 1
        row_starts[d + 1] = filled
    return row_starts, terms[:filled].copy(), counts[:filled].copy(), used


@compiled
def weigh(row_starts: Numbers, terms: Words, weights: Floats, idf: Floats) -> None:
    """Turn counts into TF-IDF weights of unit length, in place, with scikit-learn's operations in scikit-learn's order.

    The length is divided out twice: TfidfVectorizer does it, and cosine_similarity does it again to what is by then
    of length 1 but for the last bit, and that bit decides ties at the threshold.
    """
    for entry in range(len(terms)):
        weights[entry] *= idf[terms[entry]]
    for row in range(len(row_starts) - 1):
        begin, end = row_starts[row], row_starts[row + 1]
        for _ in range(2):
            total = 0.0
            for entry in range(begin, end):
                total += weights[entry] * weights[entry]
            length = np.sqrt(total)
            for entry in range(begin, end):
                weights[entry] /= length


@compiled
def rare_prefixes(
    row_starts: Numbers, terms: Words, weights: Floats, rarity: Words, least: float
) -> tuple[Numbers, Numbers, Floats]:
    """Return each row's rarest terms, so many that the rest of the row is shorter than `least`.

    Returns (prefix_starts, entries, rests), row after row.
    `rarity[t]` is term t's place in one order for all rows, rarest first. `entries` are indices into `terms`, in that
    order; `rests` the length of what follows each. Two rows whose cosine reaches `least` share a term of both
    prefixes: were their rarest shared term beyond one row's prefix, the product would be at most that row's rest.
    """
    prefix_starts = np.zeros(len(row_starts), dtype=np.int64)
    entries = np.empty(len(terms), dtype=np.int64)
    rests = np.empty(len(terms), dtype=np.float64)
    filled = 0
    for row in range(len(row_starts) - 1):
        begin, end = row_starts[row], row_starts[row + 1]
        order = np.argsort(rarity[terms[begin:end]])
        square = 0.0
        for place in range(end - begin - 1, -1, -1):  # summed from the common end, so that small rests are exact
            entries[filled + place] = begin + order[place]
            rests[filled + place] = np.sqrt(square)
            square += weights[begin + order[place]] ** 2
        length = 0
        while length < end - begin:
            length += 1
            if rests[filled + length - 1] < least:
                break
        filled += length
        prefix_starts[row + 1] = filled
    return prefix_starts, entries[:filled].copy(), rests[:filled].copy()


@compiled
def signatures(row_starts: Numbers, terms: Words, rarity: Words) -> Bits:
    """Return each row's terms but the COMMON ones as bits, (rows, 2): a row lacks every term whose bit is not set."""
    signs = np.zeros((len(row_starts) - 1, 2), dtype=np.uint64)
    for row in range(len(row_starts) - 1):
        for term in terms[row_starts[row] : row_starts[row + 1]]:
            bit = _bit(len(rarity) - 1 - rarity[term])
            if bit >= 0:
                signs[row, bit >> 6] |= ONE << np.uint64(bit & 63)
    return signs


@compiled
def _bit(commonness: int) -> int:
    """Return the bit of a term by its place in the order of the terms, the commonest first; -1 for the COMMON ones."""
    return -1 if commonness < COMMON else (commonness * 2654435761 >> 16) % BITS


@compiled
def _post(
    row: int,
    terms: Words,
    weights: Floats,
    prefix_starts: Numbers,
    entries: Numbers,
    rests: Floats,
    signs: Bits,
    fill: Numbers,
    posting_rows: Words,
    posting_bounds: Floats,
    posting_signs: Bits,
) -> None:
    """Put a row into the inverted index, under each term of its prefix."""
    for p in range(prefix_starts[row], prefix_starts[row + 1]):
        slot = fill[terms[entries[p]]]
        posting_rows[slot] = row
        for word in range(2):  # as a slice it takes 2 s to compile: numba brings its own formatting of errors along
            posting_signs[slot, word] = signs[row, word]
        posting_bounds[slot, 0], posting_bounds[slot, 1] = weights[entries[p]], rests[p]
        fill[terms[entries[p]]] += 1


@compiled
def _shared(posting_signs: Bits, slot: int, mask: Bits, squares: Floats) -> float:
    """Return the sum of `squares` over the bits that a posting's signature and `mask` have in common."""
    total = 0.0
    for word in range(2):
        shared = posting_signs[slot, word] & mask[word]
        while shared:
            lowest = shared & (~shared + ONE)
            total += squares[(word << 6) + PLACES[(lowest * DE_BRUIJN) >> TOP]]
            shared ^= lowest
    return total


@compiled
def _product(row_starts: Numbers, terms: Words, weights: Floats, row: int, query: Floats) -> float:
    """Return a row's product with the query's weights, added up in the order of the terms."""
    total = 0.0
    for entry in range(row_starts[row], row_starts[row + 1]):
        total += query[terms[entry]] * weights[entry]
    return total


@compiled
def find_similar(
    row_starts: Numbers,
    terms: Words,
    weights: Floats,
    rarity: Words,
    prefix_starts: Numbers,
    entries: Numbers,
    rests: Floats,
    signs: Bits,
    indexed: Numbers,
    queries: Numbers,
    grow: bool,
    threshold: float,
    found: Numbers,
    cosines: Floats,
) -> None:
    """Find each query's most similar row among the indexed ones, and earlier unmatched queries if `grow`.

    An inverted index holds the prefixes (see `rare_prefixes`). A row met through the rarest shared term can reach at
    most (product of both weights) + (product of both rests), and of the query's rest only the terms count that the
    row's signature does not exclude. Only rows that may reach the threshold are compared in full: products added up
    in float64 in the order of the terms, as scipy's sparse product adds them. Nine in ten are excluded in the index
    itself, without a look at the row: a row elsewhere in memory costs a tenth of a microsecond or more.

    For query q, `found[q]` is the row with the largest cosine >= threshold (the first of equals), or -1, and
    `cosines[q]` that cosine.
    """
    slack = 1e-6  # above any rounding error of the bound
    fill = np.zeros(len(rarity) + 1, dtype=np.int64)  # where a term's next posting goes; first, how many it may get
    for rows in (indexed, queries if grow else indexed[:0]):
        for row in rows:
            for p in range(prefix_starts[row], prefix_starts[row + 1]):
                fill[terms[entries[p]] + 1] += 1
    first = np.cumsum(fill)
    fill = first.copy()
    posting_rows = np.empty(first[-1], dtype=np.int32)
    posting_bounds = np.empty((first[-1], 2), dtype=np.float32)  # the term's weight, and the rest behind it
    posting_signs = np.empty((first[-1], 2), dtype=np.uint64)

    row_data = (terms, weights, prefix_starts, entries, rests, signs)
    for row in indexed:
        _post(row, *row_data, fill, posting_rows, posting_bounds, posting_signs)

    query = np.zeros(len(rarity), dtype=np.float64)
    squares = np.zeros(BITS, dtype=np.float64)  # by bit: the squared weights of the query's terms that have it
    compared = np.full(len(row_starts) - 1, -1, dtype=np.int32)
    for q in range(len(queries)):
        row = queries[q]
        found[q], cosines[q] = -1, 0.0
        begin, end = row_starts[row], row_starts[row + 1]
        common, mask = 0.0, np.zeros(2, dtype=np.uint64)
        for entry in range(begin, end):
            query[terms[entry]] = weights[entry]
            bit = _bit(len(rarity) - 1 - rarity[terms[entry]])
            if bit < 0:
                common += weights[entry] ** 2
            else:
                squares[bit] += weights[entry] ** 2
                mask[bit >> 6] |= ONE << np.uint64(bit & 63)
        for p in range(prefix_starts[row], prefix_starts[row + 1]):
            term, weight, rest = terms[entries[p]], weights[entries[p]], rests[p]
            bit = _bit(len(rarity) - 1 - rarity[term])  # out of what is possible: the term itself is counted exactly
            if bit < 0:
                common -= weight**2
            else:
                squares[bit] -= weight**2
                if squares[bit] < 1e-12:
                    squares[bit] = 0.0
                    mask[bit >> 6] &= ~(ONE << np.uint64(bit & 63))
            for slot in range(first[term], fill[term]):
                needed = threshold - slack - weight * posting_bounds[slot, 0]
                other_rest = posting_bounds[slot, 1]
                if needed > rest * other_rest:
                    continue
                if needed > 0:
                    possible = common + _shared(posting_signs, slot, mask, squares)
                    if needed * needed > possible * other_rest * other_rest:
                        continue
                other = posting_rows[slot]
                if compared[other] == q:
                    continue
                compared[other] = q
                cosine = _product(row_starts, terms, weights, other, query)
                if cosine >= threshold and (cosine > cosines[q] or (cosine == cosines[q] and other < found[q])):
                    found[q], cosines[q] = other, cosine
        for entry in range(begin, end):
            query[terms[entry]] = 0.0
        squares[:] = 0.0
        if grow and found[q] < 0:
            _post(row, *row_data, fill, posting_rows, posting_bounds, posting_signs)
