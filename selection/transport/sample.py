"""A sample of a pool that arrives in batches: the rows with the smallest keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

Batches = Callable[[], Iterator[tuple[np.ndarray, np.ndarray]]]
"""Gives a fresh iterator over (keys of shape (B,), rows of shape (B, D)) of the whole pool."""


def take_sample(batches: Batches, n_rows: int) -> tuple[np.ndarray, int]:
    """Give the n_rows rows with the smallest keys, by key, and the number of rows of the pool.

    In one pass that holds the sample and one batch. The order by key makes the solve the same to
    the bit whatever the order of the batches and their sizes.
    """
    sample, seen = KeyedSample(n_rows), 0
    for keys, rows in batches():
        seen += len(rows)
        sample.add(keys, rows)
    if seen == 0:
        raise ValueError("the pool has no rows to solve on; give at least one")
    return sample.rows, seen


class KeyedSample:
    """The n rows with the smallest keys of all that were added, by key.

    It holds these and one batch, and is the same to the bit whatever the batches and their order.
    """

    def __init__(self, n: int) -> None:
        self._n = n
        self._keys = np.empty(0)
        self._rows: np.ndarray | None = None

    @property
    def rows(self) -> np.ndarray:
        """The rows, of shape (at most n, D)."""
        assert self._rows is not None
        return self._rows

    def add(self, keys: np.ndarray, rows: np.ndarray) -> None:
        """Look at a batch: keys of shape (B,), rows of shape (B, D)."""
        if len(self._keys) == self._n:
            below = keys < self._keys[-1]
            keys, rows = keys[below], rows[below]
        keys = np.concatenate([self._keys, keys])
        rows = np.asarray(rows if self._rows is None else np.concatenate([self._rows, rows]))
        kept = np.argsort(keys, kind="stable")[: self._n]
        self._keys, self._rows = keys[kept], rows[kept]
