"""Uniform draws over rows: the arm every other one has to beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from selection.basics.draws import keyed_uniform
from selection.methods.contract.common import MethodDefaults, draw_per_seed, read_options
from selection.methods.contract.protocol import (
    ACCOUNTANT,
    Cost,
    CostInputs,
    FitInputs,
    Fitted,
    ScoreInputs,
    Scores,
)


class RandomOptions(BaseModel):
    """Random has no options."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RandomMethod(MethodDefaults):
    """One uniform ranking per seed."""

    name: str = "random"
    needs_embeddings: bool = False
    options: type[BaseModel] = RandomOptions

    def draws_per_seed(self, options: Mapping[str, Any] | BaseModel) -> bool:
        """Each seed draws anew."""
        return True

    def fit(self, inputs: FitInputs) -> Fitted:
        """Nothing to learn."""
        read_options(RandomOptions, inputs.options)
        return Fitted()

    def score(self, fitted: Fitted, inputs: ScoreInputs) -> Scores:
        """Draw uniform numbers keyed by (seed, row id): score of shape (len(seeds), n)."""
        read_options(RandomOptions, inputs.options)
        return Scores(draw_per_seed(keyed_uniform, inputs.rows, inputs.seeds, self.name))

    def cost(self, inputs: CostInputs) -> Cost:
        """No floating-point work."""
        return Cost(0.0, ACCOUNTANT, {})


METHOD = RandomMethod()
