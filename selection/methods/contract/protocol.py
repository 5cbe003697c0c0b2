"""What methods are given and what they answer: rows, fits, scores and costs.

A method never reads a file: rows arrive as arrays, and what it learns goes back as arrays and plain
facts that any store can keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from pydantic import BaseModel

if TYPE_CHECKING:
    import pyarrow as pa

    from selection.costs import ModelShape

ACCOUNTANT = "operation_count"
"""Who counts the FLOPs of a method's own arithmetic: its formulas, with the sizes it met."""

Fact = float | int | str | bool | list


@dataclass(frozen=True)
class Rows:
    """A batch of rows of the pool or of the target.

    Attributes
    ----------
    row_id : np.ndarray of shape (n,), str
        Hash of the normalised text.
    text : sequence of str, length n
    n_tokens : np.ndarray of shape (n,), int64
    embeddings : np.ndarray of shape (n, d) or None
        Any float dtype; None when the method does not need them.
    source : str
        The source of the pool that all of them are of; "" for the target's.
    features : array or sparse matrix with n rows, or None
        What the method's preparation by source has computed of each row.
    """

    row_id: np.ndarray
    text: Sequence[str]
    n_tokens: np.ndarray
    embeddings: np.ndarray | None = None
    source: str = ""
    features: Any = None

    def take(self, some: slice) -> Rows:
        """Give some of the rows, without copying."""
        return Rows(
            self.row_id[some],
            self.text[some],
            self.n_tokens[some],
            None if self.embeddings is None else self.embeddings[some],
            self.source,
            None if self.features is None else self.features[some],
        )


class Files(Protocol):
    """What a preparation has made, file by file."""

    def array(self, name: str) -> np.ndarray:
        """Read a `.npy` file."""
        ...

    def arrays(self, name: str) -> dict[str, np.ndarray]:
        """Read a `.safetensors` file."""
        ...

    def json(self, name: str) -> Any:
        """Read a `.json` file."""
        ...

    def path(self, name: str) -> Path:
        """Give the place of a file or folder."""
        ...


@dataclass(frozen=True)
class FitInputs:
    """What a method may look at before it scores.

    Attributes
    ----------
    target : Rows
    pool : callable
        Returns a fresh iterator over the whole pool, source by source; may be called repeatedly.
    n_pool : int
        Rows the iterator yields in all.
    options : mapping or pydantic model
        The method's options, validated by the method.
    seed : int
    device : str or None
        Torch device of heavy arithmetic; None is the CPU.
    memory_limit : int or None
        Bytes the method may hold for a cached cost; None is the method's own default.
    report : callable or None
        Receives one line of progress at a time.
    previous : Fitted or None
        What this method learnt last for the study, for one that can start from it.
    prepared : mapping of str to Files
        What the method's preparations that are not by source have made, by their asset's name.
    contrast : Rows or None
        Rows that steer away: the dev split of the study's `contrast`, for a method whose options
        have a `contrast_weight`.
    """

    target: Rows
    pool: Callable[[], Iterator[Rows]]
    n_pool: int
    options: Mapping[str, Any] | BaseModel
    seed: int
    device: str | None = None
    memory_limit: int | None = None
    report: Callable[[str], None] | None = None
    previous: Fitted | None = None
    prepared: Mapping[str, Files] = field(default_factory=dict)
    contrast: Rows | None = None


@dataclass(frozen=True)
class Fitted:
    """What a method learnt: small arrays, facts that survive JSON unchanged, and FLOPs spent."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)
    flops: float = 0.0


@dataclass(frozen=True)
class ScoreInputs:
    """A batch of rows to score, and what a method may look at to do so.

    Attributes
    ----------
    rows : Rows
    target : Rows
        As in `FitInputs`, like `options`, `device` and `prepared`.
    seeds : sequence of int
        Of the draws of a method that draws at random.
    """

    rows: Rows
    target: Rows
    options: Mapping[str, Any] | BaseModel
    seeds: Sequence[int]
    device: str | None = None
    prepared: Mapping[str, Files] = field(default_factory=dict)


@dataclass(frozen=True)
class Scores:
    """Scores of one batch; higher is better.

    Attributes
    ----------
    score : np.ndarray of shape (draws, n), float64
        One draw per seed where ``draws_per_seed`` says so, else one draw.
    receipts : dict of str to array of length n
        Columns that say why a row got its score. One named ``excluded`` (str, "" for a candidate)
        gives the reason for which a row must not be selected.
    flops : float
        Spent on this batch, the embeddings apart.
    """

    score: np.ndarray
    receipts: dict[str, np.ndarray | pa.Array] = field(default_factory=dict)
    flops: float = 0.0


@dataclass(frozen=True)
class SelectorSize:
    """What the selector would read.

    Attributes
    ----------
    pool_lengths, target_lengths : int64 of shape (n_pool,) and (n_target,)
        Tokens of each row as `selection.models.examples.render` gives them to the selector, cut at
        its longest sequence; the target's are those of the split that steers the selection.
    """

    shape: ModelShape
    accountant: str
    pool_lengths: np.ndarray
    target_lengths: np.ndarray


EMBEDDING_PARTS = frozenset({"pool_embedding", "target_embedding", "contrast_embedding"})
FIT_PARTS = frozenset({"sources", "density", "solve", "certify", "fit"})


@dataclass(frozen=True)
class CostInputs:
    """What is known before anything runs; FLOPs of the embeddings come from the embedder.

    Attributes
    ----------
    selector : what the selector model would read; None for a study without one.
    n_contrast, contrast_embedding_flops : rows that steer away, and of embedding the contrast.
    n_sources : of the pool; None where nobody counted, for which methods assume the most.
    """

    n_pool: int
    n_target: int
    pool_embedding_flops: float
    target_embedding_flops: float
    width: int
    options: Mapping[str, Any] | BaseModel
    selector: SelectorSize | None = None
    n_sources: int | None = None
    n_contrast: int = 0
    contrast_embedding_flops: float = 0.0


@dataclass(frozen=True)
class Cost:
    """FLOPs a method will spend on the whole pool, by part, and the name of who counted.

    Attributes
    ----------
    parts : those in `EMBEDDING_PARTS` are done by the embeddings' assets, those in `FIT_PARTS` by
        the fit, one named like a preparation by that, and all others by the scores.
    preparations : names of the parts that preparations do.
    shared : names of the parts that are done once for all targets of the pool.
    """

    flops: float
    accountant: str
    parts: dict[str, float]
    preparations: frozenset[str] = frozenset()
    shared: frozenset[str] = frozenset({"pool_embedding"})

    @property
    def phases(self) -> dict[str, float]:
        """FLOPs by the step that spends them: "embedding", "fit", "score" and preparations."""
        phases = {"embedding": 0.0, "fit": 0.0, "score": 0.0}
        for part, flops in self.parts.items():
            if part in self.preparations:
                phases[part] = flops
            elif part in EMBEDDING_PARTS:
                phases["embedding"] += flops
            elif part in FIT_PARTS:
                phases["fit"] += flops
            else:
                phases["score"] += flops
        return phases

    @property
    def shared_flops(self) -> float:
        """FLOPs that all targets of the pool have in common."""
        return sum(flops for part, flops in self.parts.items() if part in self.shared)
