"""Hashes of any run of words of many texts, and a table to look them up in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from selection.leaks.words import WORD, WORD_BYTES, weights_of

# Odd, so that it has an inverse among numbers of 64 bits; else of no meaning.
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 2**64)
_FEWEST_BITS, _SPARSE_BITS, _MOST_BITS = 12, 4, 22
_KEPT_POWERS = 2**22
"""More bytes than most lots of texts have; each table of so many takes 32 MB."""


class Windows:
    """The words of some texts laid end to end, and runs of them.

    A run's hash is a polynomial in the hashes of its words, modulo 2**64, and a word's is one in
    its bytes (Karp & Rabin 1987, "Efficient randomized pattern-matching algorithms"): each takes
    one product of sums made once, and no word becomes an object of Python's.

    Parameters
    ----------
    texts : as `cut_later` gives them.

    Attributes
    ----------
    text_W : np.ndarray of shape (n_words,), int64
        Of which text each word is.
    starts_T, ends_T : np.ndarray of shape (n_texts,), int64
        Where the words of a text begin and end.
    heavy_W : np.ndarray of shape (n_words + 1,), int64
        Weights of all words before each.
    joined_T : np.ndarray of shape (n_texts,), uint64
        Hash of a text's words without anything between them.
    """

    def __init__(self, texts: Sequence[bytes]) -> None:
        # Each text ends in a line break of its own, which is in no word.
        read = b"\n".join([*texts, b""]).translate(WORD_BYTES)
        bytes_B = np.frombuffer(read, dtype=np.uint8)
        is_word = bytes_B != 0
        edges = np.flatnonzero(is_word[1:] != is_word[:-1]) + 1
        edges = np.concatenate([np.flatnonzero(is_word[:1]), edges])
        begin_W, end_W = edges[::2].copy(), edges[1::2].copy()
        stops_T = np.cumsum([len(text) + 1 for text in texts], dtype=np.int64)
        self.ends_T = np.searchsorted(begin_W, stops_T)
        self.starts_T = np.concatenate([[0], self.ends_T])[:-1]
        self.text_W = np.repeat(np.arange(len(texts)), self.ends_T - self.starts_T)
        self.heavy_W = _before(weights_of(_characters(bytes_B, begin_W, end_W)))
        powers = _powers(_BASE, len(bytes_B) + 1)
        sums = _before(powers[:-1], bytes_B)
        of_word = sums[end_W] - sums[begin_W]
        del sums  # of a text of megabytes each of these is eight times its size
        inverses = _powers(_INVERSE, len(bytes_B) + 1)
        of_word *= inverses[begin_W]
        at = _before(end_W - begin_W)
        sums = _before(of_word, powers[at[:-1]])
        self.joined_T = (sums[self.ends_T] - sums[self.starts_T]) * inverses[at[self.starts_T]]
        n = len(begin_W)
        # So that a word of one byte is another thing than the same byte in a longer word.
        self._sums = _before(_mixed(of_word), powers[:n])
        self._inverse = inverses[: n + 1].copy()  # an empty text may stand at the end

    def weights(self) -> np.ndarray:
        """How heavy each text is, of shape (n_texts,)."""
        return self.heavy_W[self.ends_T] - self.heavy_W[self.starts_T]

    def heavy(self, words: int) -> tuple[np.ndarray, np.ndarray]:
        """Starts and ends of the shortest runs of so many words' weight, one from each word on.

        Those that would go on in the next text are left out.
        """
        starts = np.arange(len(self.text_W))
        ends = np.minimum(starts + words, len(starts))
        # Few runs have words that weigh less.
        light = np.flatnonzero(self.heavy_W[ends] - self.heavy_W[:-1] < words * WORD)
        ends[light] = np.searchsorted(self.heavy_W, self.heavy_W[light] + words * WORD)
        within = ends <= self.ends_T[self.text_W]
        return starts[within], ends[within]

    def hashed(self, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Hash runs of words, uint64."""
        return (self._sums[ends] - self._sums[starts]) * self._inverse[starts]

    def find(self, table: HashTable, *, length: int, words: int) -> tuple[np.ndarray, np.ndarray]:
        """Where runs of a table begin, and which they are there.

        Parameters
        ----------
        length : words of each run; 0: as many as are as heavy as `words` of them.
        """
        if not length and self.heavy_W[-1] == WORD * len(self.text_W):
            length = words  # nearly always: no script without spaces
        if not length:
            starts, ends = self.heavy(words)
            at, number = table.find(self.hashed(starts, ends))
            return starts[at], number
        # Those that would go on in the next text are hashed with the others, and hardly ever found.
        n = max(0, len(self.text_W) - length + 1)
        starts, number = table.find((self._sums[length:] - self._sums[:n]) * self._inverse[:n])
        within = starts + length <= self.ends_T[self.text_W[starts]]
        return starts[within], number[within]


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
        # Nearly all are ruled out by some of their bits, in a table that a processor keeps near.
        bits = min(max(_FEWEST_BITS, len(hashes).bit_length() + _SPARSE_BITS), _MOST_BITS)
        self._shift = np.uint64(64 - bits)
        self._filter = np.zeros(2**bits, dtype=bool)
        self._filter[hashes >> self._shift] = True

    def find(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Places of those that are in the table, and the numbers that they have there."""
        maybe = np.flatnonzero(self._filter.take((hashes >> self._shift).view(np.int64)))
        at = np.searchsorted(self._sorted, hashes[maybe]).clip(max=len(self._sorted) - 1)
        found = self._sorted[at] == hashes[maybe]
        return maybe[found], self._order[at[found]]


def distinct_pairs(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort pairs of numbers from 0 on, each pair once."""
    n = int(second.max(initial=0)) + 1
    both = np.unique(first * n + second)
    return both // n, both % n


def _characters(bytes_B: np.ndarray, begin_W: np.ndarray, end_W: np.ndarray) -> np.ndarray:
    """Code points of the words of one character of three bytes or four; 0 for the others."""
    found = np.zeros(len(begin_W), dtype=np.int64)
    lead_W, size_W = bytes_B[begin_W], end_W - begin_W
    for size, lead, kept in ((3, 0xE0, 0x0F), (4, 0xF0, 0x07)):
        words = np.flatnonzero((size_W == size) & (lead_W & ~np.uint8(kept) == lead))
        found[words] = lead_W[words] & kept
        for place in range(1, size):
            found[words] = found[words] << 6 | bytes_B[begin_W[words] + place] & 0x3F
    return found


def _before(values: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Sum of all values, by their weights, before each, and of all at the end."""
    sums = np.empty(len(values) + 1, dtype=values.dtype)
    sums[0], each = 0, sums[1:]
    each[:] = values if weights is None else weights
    if weights is not None:
        each *= values
    np.cumsum(each, out=each)
    return sums


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """Spread each bit of a hash over all (the end of splitmix64)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        hashes = (hashes ^ hashes >> np.uint64(shift)) * np.uint64(factor)
    return hashes ^ hashes >> np.uint64(31)


def _powers(base: int, n: int) -> np.ndarray:
    """The powers 0 to n - 1 of a base, modulo 2**64; of lengths that come often, made once."""
    return _kept_powers(base)[:n] if n <= _KEPT_POWERS else _make_powers(base, n)


@cache
def _kept_powers(base: int) -> np.ndarray:
    powers = _make_powers(base, _KEPT_POWERS)
    powers.flags.writeable = False
    return powers


def _make_powers(base: int, n: int) -> np.ndarray:
    factors = np.full(n, base, dtype=np.uint64)
    factors[:1] = 1
    return np.multiply.accumulate(factors, out=factors)
