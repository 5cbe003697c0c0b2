"""What a selection method is: three questions (fit, score, cost), and what it prepares.

A method is one module of `selection.methods`, or the `method.py` of a folder there, that defines
``METHOD``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import BaseModel

from selection.methods.contract.preparation import Preparation
from selection.methods.contract.protocol import (
    Cost,
    CostInputs,
    FitInputs,
    Fitted,
    ScoreInputs,
    Scores,
)


class Method(Protocol):
    """A way of ranking the rows of a pool for a target.

    Attributes
    ----------
    name : str
        Key in the registry.
    needs_embeddings : bool
        Whether rows must carry embeddings.
    options : type of pydantic.BaseModel
    """

    name: str
    needs_embeddings: bool
    options: type[BaseModel]

    def fit_asset(self, options: Mapping[str, Any] | BaseModel) -> str | None:
        """Ending of the name of the asset that stores the fit; None: too cheap to store."""
        ...

    def draws_per_seed(self, options: Mapping[str, Any] | BaseModel) -> bool:
        """Whether each seed gives its own ranking."""
        ...

    def preparations(self, options: Mapping[str, Any] | BaseModel) -> tuple[Preparation, ...]:
        """What is to be made before the fit, each after those that it reads."""
        ...

    def fit(self, inputs: FitInputs) -> Fitted:
        """Learn the method's global state, once per study."""
        ...

    def score(self, fitted: Fitted, inputs: ScoreInputs) -> Scores:
        """Score a batch of rows; a row's score does not depend on the rest of its batch."""
        ...

    def cost(self, inputs: CostInputs) -> Cost:
        """FLOPs of preparing, fitting and scoring the whole pool, before any of it has run."""
        ...
