"""Hashes of any run of words of many texts, and a table to look them up in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from selection.leaks.words import WORD, weights_of

# Odd, so that it has an inverse among numbers of 64 bits; else of no meaning.
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 2**64)
_FILTER_BITS = 22


class Windows:
    """The words of some texts laid end to end, and runs of them.

    A run's hash is a polynomial in the hashes of its words, modulo 2**64 (Karp & Rabin 1987,
    "Efficient randomized pattern-matching algorithms"), so that each takes one product of sums
    made once. Python's hashes of words differ between processes: so do these.

    Attributes
    ----------
    text_W : np.ndarray of shape (n_words,), int64
        Of which text each word is.
    starts_T, ends_T : np.ndarray of shape (n_texts,), int64
        Where the words of a text begin and end.
    heavy_W : np.ndarray of shape (n_words + 1,), int64
        Weights of all words before each.
    """

    def __init__(self, texts: Sequence[Sequence[str]]) -> None:
        lengths = np.array([len(words) for words in texts], dtype=np.int64)
        words = list(chain.from_iterable(texts))
        n = len(words)
        self.ends_T = np.cumsum(lengths)
        self.starts_T = self.ends_T - lengths
        self.text_W = np.repeat(np.arange(len(texts)), lengths)
        self.heavy_W = np.concatenate([[0], np.cumsum(weights_of(words))])
        hashes = np.fromiter(map(hash, words), dtype=np.int64, count=n).view(np.uint64)
        sums = np.cumsum(hashes * _powers(_BASE, n))
        self._sums = np.concatenate([np.zeros(1, np.uint64), sums])
        self._inverse = _powers(_INVERSE, n + 1)  # an empty text may stand at the end

    def weights(self) -> np.ndarray:
        """How heavy each text is, of shape (n_texts,)."""
        return self.heavy_W[self.ends_T] - self.heavy_W[self.starts_T]

    def heavy(self, words: int) -> tuple[np.ndarray, np.ndarray]:
        """Starts and ends of the shortest runs of so many words' weight, one from each word on.

        Those that would go on in the next text are left out.
        """
        starts = np.arange(len(self.text_W))
        ends = np.searchsorted(self.heavy_W, self.heavy_W[:-1] + words * WORD)
        within = ends <= self.ends_T[self.text_W]
        return starts[within], ends[within]

    def long(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Starts and ends of all runs of so many words, in whole texts."""
        starts = np.arange(len(self.text_W))
        within = starts + length <= self.ends_T[self.text_W]
        return starts[within], starts[within] + length

    def hashed(self, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Hash runs of words, uint64."""
        return (self._sums[ends] - self._sums[starts]) * self._inverse[starts]


class HashTable:
    """Which of many hashes are among a few?

    Parameters
    ----------
    hashes : np.ndarray of uint64
        Distinct.
    """

    def __init__(self, hashes: np.ndarray) -> None:
        self._order = np.argsort(hashes, kind="stable")
        self._sorted = hashes[self._order]
        # Nearly all are ruled out by some of their bits.
        self._shift = np.uint64(64 - _FILTER_BITS)
        self._filter = np.zeros(2**_FILTER_BITS, dtype=bool)
        self._filter[hashes >> self._shift] = True

    def find(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places of those that are in the table, and the numbers that they have there."""
        maybe = np.flatnonzero(self._filter[hashes >> self._shift])
        at = np.searchsorted(self._sorted, hashes[maybe]).clip(max=len(self._sorted) - 1)
        found = self._sorted[at] == hashes[maybe]
        return maybe[found], self._order[at[found]]


def distinct_pairs(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort pairs of numbers from 0 on, each pair once."""
    n = int(second.max(initial=0)) + 1
    both = np.unique(first * n + second)
    return both // n, both % n


def _powers(base: int, n: int) -> np.ndarray:
    """The powers 0 to n - 1 of a base, modulo 2**64."""
    factors = np.full(n, base, dtype=np.uint64)
    factors[:1] = 1
    return np.multiply.accumulate(factors)
