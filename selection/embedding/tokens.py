"""Texts with the tokens that a model reads of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np


@dataclass(frozen=True)
class Tokens:
    """Texts and their token ids, all ids in one array, so that batches are cut without copies.

    Attributes
    ----------
    texts : the n texts.
    flat : int64 of shape (total,), the ids of the first text, then of the second...
    lengths : int64 of shape (n,), tokens of each text.
    """

    texts: Sequence[str]
    flat: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str], ids: Sequence[Sequence[int]]) -> Tokens:
        """Join the ids of each text."""
        lengths = np.array([len(row) for row in ids], dtype=np.int64)
        flat = np.fromiter(chain.from_iterable(ids), dtype=np.int64, count=int(lengths.sum()))
        return cls(texts, flat, lengths)

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each text begins in `flat`, int64 of shape (n,)."""
        return np.cumsum(self.lengths) - self.lengths

    def take(self, indices: np.ndarray) -> Tokens:
        """Those texts, in that order."""
        lengths = self.lengths[indices]
        return Tokens(
            [self.texts[int(i)] for i in indices],
            self.flat[spans(self.starts[indices], lengths)],
            lengths,
        )


def spans(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the whole numbers of all half-open ranges, one after the other.

    Parameters
    ----------
    starts, lengths : int64 of shape (n,).

    Returns
    -------
    np.ndarray
        int64 of shape (sum of `lengths`,).
    """
    before = np.cumsum(lengths) - lengths
    return np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
