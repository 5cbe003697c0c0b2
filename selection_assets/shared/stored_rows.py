"""All rows of a source, which stay on disk until somebody looks at some of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from selection.basics.blocks import stretches
from selection.methods.contract.values import Rows
from selection_assets.shared.stored_texts import StoredTexts

AT_ONCE = 65_536
"""Rows of a piece: of so many there are Python objects at a time."""


@dataclass(frozen=True)
class StoredRows:
    """What `Rows` are made of; ids are Arrow's, and the rest is read where it is looked at.

    Attributes
    ----------
    row_id : of n rows.
    text : of length n.
    n_words : int64 of shape (n,).
    embeddings : memory map of shape (n, d), or None.
    source : the source that all of them are of.
    features : array or sparse matrix with n rows, or None.
    """

    row_id: pa.ChunkedArray
    text: StoredTexts
    n_words: np.ndarray
    embeddings: np.ndarray | None = None
    source: str = ""
    features: Any = None

    def __len__(self) -> int:
        """How many there are."""
        return len(self.row_id)

    def take(self, some: slice) -> Rows:
        """Give some of them as methods read them."""
        start, stop, _ = some.indices(len(self))
        return Rows(
            self.row_id.slice(start, stop - start).to_numpy(),
            self.text[some],
            self.n_words[some],
            None if self.embeddings is None else self.embeddings[some],
            self.source,
            None if self.features is None else self.features[some],
        )

    def pieces(self) -> Iterator[Rows]:
        """Give all of them, piece by piece; of none there is one piece without rows."""
        return (self.take(some) for some in stretches(len(self), AT_ONCE))

    def only(self, places: np.ndarray) -> "StoredRows":
        """Give some of them, without vectors and features; places rise, int64."""
        return replace(
            self,
            row_id=self.row_id.take(pa.array(places)),
            text=self.text.only(places),
            n_words=self.n_words[places],
            embeddings=None,
            features=None,
        )
