"""Near-duplicate texts by the Jaccard similarity of their word trigrams.

A text is its words, case folded; each punctuation mark is a word, since "2 + 3" is not "2 - 3", and so is each
character of scripts without spaces between words. Trigrams overlap both ends, so that a text of n words has n + 2, and
a short text is compared as a whole, order included: "reverse : b a d c" and "reverse : c a d b" share 2 of their 8
trigrams each. A trigram that occurs k times counts k times, so "copy : a a a a" is not "copy : a a a".

One word changed in the middle of n leaves a similarity of (n - 1) / (n + 5): at a threshold of 0.9, short texts are
near-duplicates only if they differ in case or spacing, and one word in 55 or more may differ.

Trigrams are stored as hashes of 63 bits, 8 bytes each; texts are not stored. No pair is missed: two sets that are
similar enough share one of their few rarest elements (prefix filtering: Bayardo, Ma and Srikant, 2007), so only texts
that do are compared, using all of their trigrams.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Thai, Lao, Burmese, Khmer, Kana and Han."""
WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+|[^\w\s]")
TEXTS = 10_000
"""Texts read at a time."""
PAIRS = 50_000
"""Pairs compared at a time."""
BUCKETS = 1 << 22
"""Size of the table of trigram counts; trigrams whose hashes agree in the last bits share a counter."""
ROUNDING = 1e-6
"""Less than one trigram: pairs excluded before the comparison must be dissimilar beyond any rounding."""

Rows = tuple[np.ndarray, np.ndarray]
"""(row, hash) of some trigrams of some texts."""


def words(text: str) -> list[str]:
    """A text's words, as used in comparisons."""
    return WORD.findall(text.casefold())


def batches(texts: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Batches of texts: (index of the first, texts)."""
    texts, start = iter(texts), 0
    while batch := list(islice(texts, TEXTS)):
        yield start, batch
        start += len(batch)


def incidence(texts: Iterable[str], ends: bool = True) -> csr_matrix:
    """(texts, hashes of trigrams): 1 if a text has a trigram, columns sorted; 8 bytes are stored per trigram.

    The k-th occurrence of a trigram is distinct from the first. ends: include the trigrams that overlap a text's ends.
    """
    columns, sizes = [np.empty(0, np.int64)], [np.zeros(1, np.int64)]
    for _, batch in batches(texts):
        rows, hashes = _hashes([words(text) for text in batch], ends)
        columns.append(hashes)
        sizes.append(np.bincount(rows, minlength=len(batch)))
    indices = np.concatenate(columns)
    del columns
    ends_at = np.cumsum(np.concatenate(sizes))
    return _matrix(indices, ends_at)


def _matrix(indices: np.ndarray, indptr: np.ndarray) -> csr_matrix:
    matrix = csr_matrix((len(indptr) - 1, 2**63 - 1), dtype=np.int8)
    matrix.indices, matrix.indptr, matrix.data = indices, indptr.astype(np.int64), np.ones(len(indices), np.int8)
    matrix.has_canonical_format = True
    return matrix


def _hashes(texts: list[list[str]], ends: bool) -> tuple[np.ndarray, np.ndarray]:
    """(row, hash) of all trigrams of some texts, sorted by both."""
    pad = ["", ""] if ends else []
    stream = [word for text in texts for word in (*pad, *text, *pad)]
    lengths = np.array([len(text) + 2 * len(pad) for text in texts])
    row = np.repeat(np.arange(len(texts)), lengths)
    codes, known = pd.factorize(np.array(stream, dtype=object))
    word = pd.util.hash_array(known.astype(object), categorize=False)[codes]
    at = np.flatnonzero(row[2:] == row[:-2]) if len(row) > 2 else np.empty(0, np.int64)
    trigram = _mixed(_mixed(_mixed(word[at]) + word[at + 1]) + word[at + 2])
    row = row[at]
    order = np.lexsort((trigram, row))
    row, trigram = row[order], trigram[order]
    first = np.r_[True, (row[1:] != row[:-1]) | (trigram[1:] != trigram[:-1])][: len(row)]
    place = np.arange(len(row))
    occurrence = place - np.maximum.accumulate(np.where(first, place, 0))
    again = occurrence > 0
    trigram[again] = _mixed(trigram[again] + occurrence[again].astype(np.uint64))
    hashes = (trigram >> np.uint64(1)).astype(np.int64)
    order = np.lexsort((hashes, row))
    return row[order], hashes[order]


def _mixed(values: np.ndarray) -> np.ndarray:
    """Hashes of hashes (the finaliser of SplitMix64)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def every(matrix: csr_matrix) -> Rows:
    """(row, hash) of all trigrams."""
    return np.repeat(np.arange(matrix.shape[0]), sizes_of(matrix)), matrix.indices


def sizes_of(matrix: csr_matrix) -> np.ndarray:
    """The number of trigrams of each text."""
    return np.diff(matrix.indptr)


def counted(matrix: csr_matrix) -> np.ndarray:
    """(BUCKETS,): how often the trigrams of each bucket occur in the texts."""
    counts = np.zeros(BUCKETS, np.int64)
    for start in range(0, len(matrix.indices), BUCKETS):
        counts += np.bincount(matrix.indices[start : start + BUCKETS] & (BUCKETS - 1), minlength=BUCKETS)
    return counts


def rarest(matrix: csr_matrix, threshold: float, counts: np.ndarray) -> Rows:
    """(row, hash) of each text's rarest trigrams: enough that any text sharing ``threshold`` of all has one of them."""
    found: list[tuple[np.ndarray, np.ndarray]] = [(np.empty(0, np.int64), np.empty(0, np.int64))]
    for start in range(0, matrix.shape[0], TEXTS):
        bounds = matrix.indptr[start : start + TEXTS + 1]
        hashes, sizes = matrix.indices[bounds[0] : bounds[-1]], np.diff(bounds)
        row = np.repeat(np.arange(len(sizes)), sizes)
        order = np.lexsort((hashes, counts[hashes & (BUCKETS - 1)], row))
        place = np.arange(len(row)) - np.repeat(bounds[:-1] - bounds[0], sizes)
        least = np.ceil(threshold * sizes - ROUNDING).astype(np.int64)
        kept = place < (sizes - least + 1)[row]
        found.append((row[kept] + start, hashes[order][kept]))
    rows, hashes = zip(*found, strict=True)
    return np.concatenate(rows), np.concatenate(hashes)


def meetings(one: Rows, other: Rows) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(row of one, row of other) that share a hash, in batches; a pair may occur more than once."""
    order = np.argsort(other[1], kind="stable")
    their_rows, their_hashes = other[0][order], other[1][order]
    low = np.searchsorted(their_hashes, one[1], side="left")
    size = np.searchsorted(their_hashes, one[1], side="right") - low
    met = np.flatnonzero(size)
    ends = np.cumsum(size[met])
    start = 0
    while start < len(met):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + 20 * PAIRS, side="right")))
        some, counts = met[start:stop], size[met[start:stop]]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        yield np.repeat(one[0][some], counts), their_rows[np.repeat(low[some], counts) + within]
        start = stop


def shared(one: csr_matrix, other: csr_matrix, row: np.ndarray, column: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """(row, column, number of shared trigrams) of distinct pairs of texts, in batches."""
    pairs = np.unique(row * other.shape[0] + column)
    for start in range(0, len(pairs), PAIRS):
        row, column = np.divmod(pairs[start : start + PAIRS], other.shape[0])
        yield row, column, sizes_of(rows_of(one, row).multiply(rows_of(other, column)))


def rows_of(matrix: csr_matrix, rows: np.ndarray) -> csr_matrix:
    """The rows of the matrix for some texts, in the order of ``rows``."""
    sizes = sizes_of(matrix)[rows]
    indptr = np.r_[0, np.cumsum(sizes)]
    indices = np.empty(indptr[-1], np.int64)
    for start in range(0, len(rows), TEXTS):
        here = slice(start, start + TEXTS)
        within = np.arange(sizes[here].sum()) - np.repeat(indptr[:-1][here] - indptr[start], sizes[here])
        taken = matrix.indices[np.repeat(matrix.indptr[rows[here]], sizes[here]) + within]
        indices[indptr[start] : indptr[start] + len(taken)] = taken
    return _matrix(indices, indptr)


def near_duplicates(texts: Iterable[str], threshold: float, of: Iterable[str] | None = None) -> dict[int, int]:
    """Index of each near-duplicate text -> index of the first text that it duplicates.

    of: the texts to compare with; by default the earlier ones of ``texts`` that are not near-duplicates themselves, so
    that the first of each group stays. threshold: the least similarity in (0, 1] of a near-duplicate.
    """
    matrix = incidence(texts)
    return repeated(matrix, threshold) if of is None else first_alike(matrix, incidence(of), threshold)


def first_alike(one: csr_matrix, other: csr_matrix, threshold: float) -> dict[int, int]:
    """Row of one -> the first similar row of other."""
    counts = counted(other)
    pairs = _alike(one, other, rarest(one, threshold, counts), rarest(other, threshold, counts), threshold)
    return dict(reversed(pairs))


def repeated(matrix: csr_matrix, threshold: float) -> dict[int, int]:
    """Row -> the first similar earlier row that is not itself a near-duplicate."""
    first = _first_copies(matrix)
    rows, hashes = rarest(matrix, threshold, counted(matrix))
    originals = first[rows] == rows
    rare = rows[originals], hashes[originals]
    found: dict[int, int] = {}
    for row, column in _alike(matrix, matrix, rare, rare, threshold, earlier=True):
        if row not in found and column not in found:
            found[row] = column
    for row in np.flatnonzero(first != np.arange(len(first))).tolist():
        found[row] = found.get(int(first[row]), int(first[row]))
    return dict(sorted(found.items()))


def _first_copies(matrix: csr_matrix) -> np.ndarray:
    """(rows,): the first row with the same trigrams, so that many copies of one text need no comparisons."""
    sums = np.zeros(matrix.shape[0], np.uint64)
    for start in range(0, matrix.shape[0], TEXTS):
        ends = matrix.indptr[start : start + TEXTS + 1]
        hashes = matrix.indices[ends[0] : ends[-1]].astype(np.uint64)
        total = np.r_[np.uint64(0), np.cumsum(_mixed(hashes))]
        sums[start : start + TEXTS] = total[ends[1:] - ends[0]] - total[ends[:-1] - ends[0]]
    sets = pd.DataFrame({"sum": sums, "size": sizes_of(matrix)})
    return sets.reset_index().groupby(["sum", "size"])["index"].transform("first").to_numpy()


def _alike(
    one: csr_matrix, other: csr_matrix, rare: Rows, their_rare: Rows, threshold: float, earlier: bool = False
) -> list[tuple[int, int]]:
    """(row, column) of all pairs with at least this similarity, sorted; earlier: only those with column < row."""
    sizes, their_sizes = sizes_of(one), sizes_of(other)
    found: set[tuple[int, int]] = set()
    for row, column in meetings(rare, their_rare):
        smaller, larger = np.minimum(sizes[row], their_sizes[column]), np.maximum(sizes[row], their_sizes[column])
        possible = smaller >= threshold * larger - ROUNDING
        if earlier:
            possible &= column < row
        for at, of, both in shared(one, other, row[possible], column[possible]):
            near = both / (sizes[at] + their_sizes[of] - both) >= threshold
            found.update(zip(at[near].tolist(), of[near].tolist(), strict=True))
    return sorted(found)
