"""What is a selection method? Five questions and their values.

Can it rank this pool for this target (``refusal``), what does it prepare (``preparations``), what
does it learn (``fit``), how does it rank (``score``), and what does that take (``cost``)?

Only ``score`` has no default. A method is one module of this package that defines ``METHOD``. It
never reads a file: rows arrive as arrays, and what it learns goes back as arrays and plain facts
that any store can keep.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic

import numpy as np

from selection.basics.engine import HERE, Engine
from selection.methods.contract.cost import ACCOUNTANT, CostInputs, Held, MethodCost, Phase
from selection.methods.contract.options import OptionsT, OptionsT_co
from selection.methods.contract.preparation import Files, Preparation
from selection.methods.contract.values import Fact, Rows

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class FitInputs(Generic[OptionsT_co]):
    """What a method may look at before it scores.

    Attributes
    ----------
    target : Rows
    pool : callable
        Returns a fresh iterator over the whole pool, source by source, each in pieces; may be
        called repeatedly.
    n_pool : int
        Rows the iterator yields in all.
    options : pydantic model
        The method's options, as it has validated them.
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
    engine : Engine
        Computes parts of the work that need no device of this machine.
    contrast : Rows or None
        Rows that steer away: the dev split of the study's `contrast`, for a method whose options
        have a `contrast_weight`.
    """

    target: Rows
    pool: Callable[[], Iterator[Rows]]
    n_pool: int
    options: OptionsT_co
    seed: int
    device: str | None = None
    memory_limit: int | None = None
    report: Callable[[str], None] | None = None
    previous: Fitted | None = None
    prepared: Mapping[str, Files] = field(default_factory=dict)
    contrast: Rows | None = None
    engine: Engine = HERE


@dataclass(frozen=True)
class Fitted:
    """What a method learnt: small arrays, facts that survive JSON unchanged, and FLOPs spent."""

    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)
    flops: float = 0.0


@dataclass(frozen=True)
class ScoreInputs(Generic[OptionsT_co]):
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
    options: OptionsT_co
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


class Method(ABC, Generic[OptionsT]):
    """A way of ranking the rows of a pool for a target.

    What it does not define is that of a method which ranks any pool for any target, prepares
    nothing, learns nothing, counts no FLOPs and ranks once for all seeds.

    Attributes
    ----------
    name : str
        Key in the registry.
    needs_embeddings : bool
        Whether rows must carry embeddings.
    needs_device : bool
        Whether its fit and its scores compute enough to be budgeted and to wait for a GPU.
    options : type of pydantic.BaseModel
    cost_parts : mapping of str to str
        Each part of its cost that is no preparation's, and the phase that does it.
    receipts : frozenset of str
        Every column that its scores may carry as a receipt.
    """

    name: str
    needs_embeddings: bool = False
    needs_device: bool = False
    options: type[OptionsT]
    cost_parts: Mapping[str, Phase] = MappingProxyType({})
    receipts: frozenset[str] = frozenset()

    def fit_asset(self, options: OptionsT) -> str | None:
        """Ending of the name of the asset that stores the fit; None: too cheap to store."""
        return None

    def draws_per_seed(self, options: OptionsT) -> bool:
        """Whether each seed gives its own ranking."""
        return False

    def refusal(self, target: Sequence[str], pool: Iterable[str], options: OptionsT) -> str:
        """Why it cannot rank a pool for a target, and what to do; "" where it can.

        Parameters
        ----------
        target : texts of the rows that steer.
        pool : texts of the pool; read only as far as it takes to know.
        """
        return ""

    def preparations(self, options: OptionsT) -> tuple[Preparation, ...]:
        """What is to be made before the fit, each after those that it reads."""
        return ()

    def fit(self, inputs: FitInputs[OptionsT]) -> Fitted:
        """Learn the method's global state, once per study."""
        return Fitted()

    @abstractmethod
    def score(self, fitted: Fitted, inputs: ScoreInputs[OptionsT]) -> Scores:
        """Score a batch of rows; a row's score does not depend on the rest of its batch."""

    def cost(self, inputs: CostInputs[OptionsT]) -> MethodCost:
        """FLOPs of preparing, fitting and scoring the whole pool, before any of it has run."""
        prepared = self.preparations(inputs.options)
        return self.charges(inputs.options, {one.asset: one.flops(inputs) for one in prepared})

    def memory(self, inputs: CostInputs[OptionsT]) -> Held:
        """What its largest step holds at most of the whole pool; by default pieces of rows only."""
        return Held()

    def charges(
        self, options: OptionsT, parts: Mapping[str, float], accountant: str = ACCOUNTANT
    ) -> MethodCost:
        """Charge these FLOPs by part, each done by the step that the method declares for it.

        Raises
        ------
        ValueError
            For a part that is neither in `cost_parts` nor one of its preparations.
        """
        prepared = self.preparations(options)
        return MethodCost(
            self.name,
            accountant,
            parts,
            {**self.cost_parts, **{one.asset: one.asset for one in prepared}},
            frozenset(one.asset for one in prepared if one.shared)
            | ({"pool_embedding"} & self.cost_parts.keys()),
        )


def checked_scores(
    method: Method[OptionsT], fitted: Fitted, inputs: ScoreInputs[OptionsT]
) -> Scores:
    """Score a batch of rows, and see that every receipt is one that the method declares.

    Raises
    ------
    ValueError
        For a receipt that nobody has heard of, and so would not look for.
    """
    scores = method.score(fitted, inputs)
    unknown = sorted(scores.receipts.keys() - method.receipts)
    if unknown:
        known = ", ".join(sorted(method.receipts)) or "none"
        raise ValueError(
            f"method {method.name!r} gives a receipt {unknown[0]!r} that it does not declare;"
            f" declared: {known}. Add it to `receipts`"
        )
    return scores
