"""A `model2vec` model: a text is the mean of its tokens' fixed vectors."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from selection.embedding.batches import Batching
from selection.embedding.lanes import one_lane
from selection.embedding.precision import EmbeddingPrecision, Wanted
from selection.embedding.tokens import Tokens

if TYPE_CHECKING:
    from model2vec import StaticModel


LARGE = Batching(budget=65_536)


@dataclass(frozen=True)
class StaticEmbedder:
    """Looks the vectors of tokens up, always in float32."""

    model: StaticModel
    path: str = "static"
    precision: EmbeddingPrecision = "float32"
    batching: Batching = LARGE

    @classmethod
    def load(cls, folder: Path, precision: Wanted) -> StaticEmbedder:
        """Load a folder that `StaticModel.save_pretrained` wrote.

        Raises
        ------
        ValueError
            When bfloat16 is asked for.
        """
        if precision == "bfloat16":
            raise ValueError(
                "embedding precision `bfloat16`: a static embedder multiplies nothing and is"
                " float32; set `auto` or `float32`"
            )
        from model2vec import StaticModel

        return cls(StaticModel.from_pretrained(folder))

    @property
    def width(self) -> int:
        """Width of the vectors."""
        return int(self.model.dim)

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Read the texts as `StaticModel.encode` does, without special and unknown tokens."""
        limit = self.model.max_length
        if limit is not None:
            # A text is cut before it is read, by characters: that is part of the model.
            characters = limit * self.model.median_token_length
            texts = [text[:characters] for text in texts]
        return Tokens.of(texts, self.model.tokenize(texts))

    def embed(self, tokens: Tokens) -> np.ndarray:
        """Mean token vectors, float32 of shape (n, width); zero for a text without tokens."""
        out = np.zeros((len(tokens.lengths), self.width), dtype=np.float32)
        # One text at a time: its vectors stay in the cache, which a whole batch's do not.
        for row, (start, length) in enumerate(zip(tokens.starts, tokens.lengths, strict=True)):
            if length:
                out[row] = self._table[tokens.flat[start : start + length]].mean(axis=0)
        return out

    def lanes(self) -> AbstractContextManager[tuple[Executor, int]]:
        """One: reading the tokens takes longer than adding their vectors."""
        return one_lane()

    def exact(self) -> StaticEmbedder:
        """Return itself: it is float32."""
        return self

    def flops(self, n_tokens: np.ndarray) -> float:
        """One addition a token and dimension."""
        return float(n_tokens.sum()) * self.width

    @cached_property
    def _table(self) -> np.ndarray:
        """The vector of each token id, weighted; float32 of shape (vocabulary, width)."""
        model = self.model
        rows = (
            model.embedding if model.token_mapping is None else model.embedding[model.token_mapping]
        )
        table = rows if model.weights is None else rows * model.weights[:, None]
        return np.ascontiguousarray(table, dtype=np.float32)
