"""Which texts go through the model together: as many as fill a budget of tokens, by length."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Batching:
    """How a model likes its batches.

    Attributes
    ----------
    budget : tokens in a batch, padding included; a longer text is a batch of its own.
    multiple : texts are padded to a multiple of this, where their kernels like round lengths.
    from_tokens : ... if they have at least so many tokens: padding costs a short text most.
    shortest_share : least length of a text in parts of the longest of its batch, where all are
        padded to that one.
    """

    budget: int
    multiple: int = 1
    from_tokens: int = 0
    shortest_share: float = 0.0

    def padded(self, lengths: np.ndarray) -> np.ndarray:
        """Tokens that each text takes in a batch, int64 of shape (n,)."""
        rounded = -(-lengths // self.multiple) * self.multiple
        return np.where(lengths >= self.from_tokens, rounded, lengths)

    def plan(self, lengths: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the indices of each batch, every text exactly once.

        Longest first, so that a batch that does not fit in memory fails at once. Texts without
        tokens come last and cost nothing.

        Parameters
        ----------
        lengths : int64 of shape (n,), tokens of each text.
        """
        order = np.argsort(-lengths, kind="stable")
        falling = lengths[order]
        ends = np.cumsum(self.padded(falling))
        first = 0
        while first < len(order):
            before = ends[first - 1] if first else 0
            full = int(np.searchsorted(ends, before + self.budget, side="right"))
            least = self.shortest_share * falling[first]
            near = first + int(np.count_nonzero(falling[first:] >= least))
            end = max(min(full, near), first + 1)
            yield order[first:end]
            first = end
