"""What a selection method is: three questions (fit, score, cost) and the values they exchange.

A method is one module of this package that defines ``METHOD``. It never reads a file: rows arrive
as arrays, and what it learns goes back as arrays and plain facts that any store can keep.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from pydantic import BaseModel

if TYPE_CHECKING:
    import pyarrow as pa

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
    """

    row_id: np.ndarray
    text: Sequence[str]
    n_tokens: np.ndarray
    embeddings: np.ndarray | None = None

    def take(self, some: slice) -> Rows:
        """Give some of the rows, without copying."""
        return Rows(
            self.row_id[some],
            self.text[some],
            self.n_tokens[some],
            None if self.embeddings is None else self.embeddings[some],
        )


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


@dataclass(frozen=True)
class Fitted:
    """What a method learnt: small arrays, facts that survive JSON unchanged, and FLOPs spent."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)
    flops: float = 0.0


@dataclass(frozen=True)
class Scores:
    """Scores of one batch; higher is better.

    Attributes
    ----------
    score : np.ndarray of shape (draws, n), float64
        One draw per seed for methods with ``draws_per_seed``, else one draw.
    receipts : dict of str to array of length n
        Columns that say why a row got its score.
    flops : float
        Spent on this batch, the embeddings apart.
    """

    score: np.ndarray
    receipts: dict[str, np.ndarray | pa.Array] = field(default_factory=dict)
    flops: float = 0.0


EMBEDDING_PARTS = frozenset({"pool_embedding", "target_embedding"})
FIT_PARTS = frozenset({"solve", "certify"})


@dataclass(frozen=True)
class CostInputs:
    """What is known before anything runs; FLOPs of the embeddings come from the embedder."""

    n_pool: int
    n_target: int
    pool_embedding_flops: float
    target_embedding_flops: float
    width: int
    options: Mapping[str, Any] | BaseModel


@dataclass(frozen=True)
class Cost:
    """FLOPs a method will spend on the whole pool, by part, and the name of who counted.

    Attributes
    ----------
    parts : those in `EMBEDDING_PARTS` are done by the embeddings' assets, those in `FIT_PARTS` by
        the fit, and all others by the scores.
    """

    flops: float
    accountant: str
    parts: dict[str, float]

    @property
    def phases(self) -> dict[str, float]:
        """FLOPs by the step that spends them: "embedding", "fit" and "score"."""
        phases = {"embedding": 0.0, "fit": 0.0, "score": 0.0}
        for part, flops in self.parts.items():
            if part in EMBEDDING_PARTS:
                phases["embedding"] += flops
            elif part in FIT_PARTS:
                phases["fit"] += flops
            else:
                phases["score"] += flops
        return phases


class Method(Protocol):
    """A way of ranking the rows of a pool for a target.

    Attributes
    ----------
    name : str
        Key in the registry.
    needs_embeddings : bool
        Whether rows must carry embeddings.
    fit_asset : str or None
        Name of the asset that stores the fit; None when the fit is too cheap to store.
    draws_per_seed : bool
        Whether each seed gives its own ranking.
    options : type of pydantic.BaseModel
    """

    name: str
    needs_embeddings: bool
    fit_asset: str | None
    draws_per_seed: bool
    options: type[BaseModel]

    def fit(self, inputs: FitInputs) -> Fitted:
        """Learn the method's global state, once per study."""
        ...

    def score(
        self,
        fitted: Fitted,
        rows: Rows,
        *,
        target: Rows,
        options: Mapping[str, Any] | BaseModel,
        seeds: Sequence[int],
        device: str | None = None,
    ) -> Scores:
        """Score a batch of rows; a row's score does not depend on the rest of its batch."""
        ...

    def cost(self, inputs: CostInputs) -> Cost:
        """FLOPs of fitting and of scoring the whole pool, before either has run."""
        ...
