"""Near-duplicate texts by the Jaccard similarity of their word trigrams.

A text is its words, case folded; each punctuation mark is a word, for "2 + 3" is not "2 - 3", and so is each
character of scripts that put no spaces between words. Its trigrams overlap both ends, so that a text of n words
has n + 2 and a short one is compared by all of it, order included: "reverse : b a d c" and "reverse : c a d b" share
2 of their 8 trigrams each. A trigram that stands k times counts k times, so "copy : a a a a" is not "copy : a a a".

One word changed in the middle of n leaves a similarity of (n - 1) / (n + 5): at a threshold of 0.9, short texts are
near-duplicates only if they differ in case or spacing, and one word in 55 or more may differ.

scikit-learn counts the trigrams and scipy multiplies the sparse counts, so that no pair is missed by chance.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer

UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Thai, Lao, Burmese, Khmer, Kana and Han."""
WORD = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+|[^\w\s]")
ROWS = 512
"""Texts compared with all others at a time: bounds the memory."""


def words(text: str) -> list[str]:
    """A text's words, as they are compared."""
    return WORD.findall(text.casefold())


def trigrams(text: str) -> list[tuple]:
    """A text's word trigrams, those over its ends included; the k-th occurrence of one is unlike the first."""
    return _numbered(["", "", *words(text), "", ""])


def inner_trigrams(text: str) -> list[tuple]:
    """A text's word trigrams without those over its ends."""
    return _numbered(words(text))


def _numbered(stream: list[str]) -> list[tuple]:
    seen: Counter[tuple] = Counter()
    found = []
    for trigram in zip(stream, stream[1:], stream[2:], strict=False):
        seen[trigram] += 1
        found.append((*trigram, seen[trigram]))
    return found


def incidence(texts: Sequence[str], analyzer=trigrams) -> csr_matrix:
    """(texts, trigrams): 1 where a text has a trigram."""
    vectorizer = CountVectorizer(analyzer=analyzer, binary=True, dtype=np.int32)
    try:
        return vectorizer.fit_transform(texts).tocsr()
    except ValueError:  # scikit-learn's answer to texts without any trigram
        return csr_matrix((len(texts), 1), dtype=np.int32)


def shared(rows: csr_matrix, columns: csr_matrix) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(row, column, trigrams that both have), each an array, of all pairs that share one; some rows at a time."""
    transposed = columns.T.tocsr()
    for start in range(0, rows.shape[0], ROWS):
        product = (rows[start : start + ROWS] @ transposed).tocoo()
        yield product.row + start, product.col, product.data


def near_duplicates(texts: Sequence[str], threshold: float, of: Sequence[str] | None = None) -> dict[int, int]:
    """Index of each text that nearly repeats another -> index of the first one that it repeats.

    of: the texts that may be repeated; by default the earlier ones of ``texts`` that repeat none themselves, so
    that the first of each group stays. threshold: the least similarity in (0, 1] that is a repetition.
    """
    matrix = incidence([*texts, *(of or ())])
    sizes = np.asarray(matrix.sum(axis=1)).ravel()
    columns = matrix[len(texts) :] if of is not None else matrix
    first = len(texts) if of is not None else 0
    alike: dict[int, list[int]] = {}
    for row, column, both in shared(matrix[: len(texts)], columns):
        similarity = both / (sizes[row] + sizes[first + column] - both)
        near = (similarity >= threshold) & ((column < row) | (of is not None))
        for at, other in sorted(zip(row[near].tolist(), column[near].tolist(), strict=True)):
            alike.setdefault(at, []).append(other)
    found: dict[int, int] = {}
    for at in sorted(alike):
        repeated = next((other for other in alike[at] if of is not None or other not in found), None)
        if repeated is not None:
            found[at] = repeated
    return found
