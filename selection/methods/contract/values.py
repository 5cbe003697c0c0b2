"""What methods look at and say: rows, and facts that survive JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

Fact = float | int | str | bool | list


@dataclass(frozen=True)
class Rows:
    """A batch of rows of the pool or of the target.

    Attributes
    ----------
    row_id : np.ndarray of shape (n,), str
        Hash of the normalised text.
    text : sequence of str, length n
    n_words : np.ndarray of shape (n,), int64
        Words and punctuation marks, by no tokenizer.
    embeddings : np.ndarray of shape (n, d) or None
        Any float dtype; None when the method does not need them.
    source : str
        The source of the pool that all of them are of; "" for the target's.
    features : array or sparse matrix with n rows, or None
        What the method's preparation by source has computed of each row.
    """

    row_id: np.ndarray
    text: Sequence[str]
    n_words: np.ndarray
    embeddings: np.ndarray | None = None
    source: str = ""
    features: Any = None

    def __len__(self) -> int:
        """How many there are."""
        return len(self.row_id)

    def held(self) -> Rows:
        """Give the same with the texts in memory, as another process can have them."""
        return replace(self, text=list(self.text))

    def take(self, some: slice) -> Rows:
        """Give some of the rows, without copying."""
        return Rows(
            self.row_id[some],
            self.text[some],
            self.n_words[some],
            None if self.embeddings is None else self.embeddings[some],
            self.source,
            None if self.features is None else self.features[some],
        )
