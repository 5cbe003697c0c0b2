"""Which texts say nearly the same, word for word?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from selection.basics.text import normalise
from selection.basics.words import words

WORDS = 3
"""Of a shingle: so many words that follow one another."""

ALIKE = 0.6
"""Least Jaccard similarity of the shingles of two texts that are nearly the same."""

_AT_ONCE = 512


def near_groups(texts: Sequence[str]) -> np.ndarray:
    """Number the groups of texts that are linked by near-duplicates.

    Two texts are nearly the same when the sets of their shingles, in lower case and without
    punctuation, have a Jaccard similarity of at least `ALIKE` (Broder 1997, "On the resemblance and
    containment of documents"). All pairs are compared, exactly.

    Returns
    -------
    np.ndarray of shape (n,), int64
        Equal for texts of one group.
    """
    from scipy.sparse import coo_array, csr_array
    from scipy.sparse.csgraph import connected_components

    if not texts:
        return np.empty(0, dtype=np.int64)
    columns: dict[str, int] = {}
    sets = [{columns.setdefault(one, len(columns)) for one in _shingles(text)} for text in texts]
    size_N = np.array([len(one) for one in sets])
    flat = np.fromiter(chain.from_iterable(sets), dtype=np.int64, count=int(size_N.sum()))
    ends = np.concatenate([[0], np.cumsum(size_N)])
    shape = (len(texts), len(columns))
    sets_NF = csr_array((np.ones(len(flat), dtype=np.int32), flat, ends), shape=shape)
    by_shingle_FN = sets_NF.T.tocsr()
    links: list[np.ndarray] = []
    for start in range(0, len(texts), _AT_ONCE):
        shared = (sets_NF[start : start + _AT_ONCE] @ by_shingle_FN).tocoo()
        one, other = shared.row + start, shared.col
        either = size_N[one] + size_N[other] - shared.data
        near = (shared.data >= ALIKE * either) & (one < other)
        links.append(np.stack([one[near], other[near]]))
    one, other = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(len(one)), (one, other)), shape=(len(texts), len(texts)))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _shingles(text: str) -> list[str]:
    found = words(normalise(text).casefold())
    if len(found) < WORDS:
        return [" ".join(found)]
    return [" ".join(found[i : i + WORDS]) for i in range(len(found) - WORDS + 1)]
