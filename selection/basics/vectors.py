"""Vectors that stay where they are, in memory or in files, until some of them are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np


class Vectors(Protocol):
    """What takes the numbers of rows, int64 of shape (k,), and gives them; an array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows, and their width."""
        ...

    def __len__(self) -> int:
        """How many rows there are."""
        ...

    def __getitem__(self, numbers: np.ndarray, /) -> np.ndarray:
        """Give rows of some numbers, in their order."""
        ...


class StackedVectors:
    """Rows of several matrices as one, and in any order.

    Parameters
    ----------
    parts : np.ndarray of shape (n_i, width), all of one dtype; memory maps are never held whole.
    places : np.ndarray of shape (n,), int64, or None
        Which row of all parts each row is; -1 is the zero vector. None: all of them in order.
    """

    def __init__(self, parts: Sequence[np.ndarray], places: np.ndarray | None = None) -> None:
        self._parts = parts
        self._starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
        self._places = places

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and their width."""
        return len(self), self._parts[0].shape[1]

    def __len__(self) -> int:
        """How many rows there are."""
        return int(self._starts[-1]) if self._places is None else len(self._places)

    def __getitem__(self, numbers: np.ndarray, /) -> np.ndarray:
        """Give rows of some numbers, in their order."""
        places = numbers if self._places is None else self._places[numbers]
        found = np.zeros((len(places), self.shape[1]), dtype=self._parts[0].dtype)
        part = np.searchsorted(self._starts, places, side="right") - 1
        for which in np.unique(part[places >= 0]):
            of_part = np.flatnonzero((part == which) & (places >= 0))
            found[of_part] = self._parts[which][places[of_part] - self._starts[which]]
        return found

    def at(self, places: np.ndarray) -> StackedVectors:
        """Give the rows of some places, in their order; -1 is the zero vector."""
        return StackedVectors(self._parts, places)
