"""Longest rows first: the baseline that costs nothing and is hard to excuse losing to."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from selection.methods.contract.common import MethodDefaults, read_options
from selection.methods.contract.protocol import (
    ACCOUNTANT,
    Cost,
    CostInputs,
    FitInputs,
    Fitted,
    ScoreInputs,
    Scores,
)


class LengthOptions(BaseModel):
    """Length has no options."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LengthMethod(MethodDefaults):
    """A row's score is its number of words."""

    name: str = "length"
    needs_embeddings: bool = False
    options: type[BaseModel] = LengthOptions

    def fit(self, inputs: FitInputs) -> Fitted:
        """Nothing to learn."""
        read_options(LengthOptions, inputs.options)
        return Fitted()

    def score(self, fitted: Fitted, inputs: ScoreInputs) -> Scores:
        """Give the numbers of words: score of shape (1, n)."""
        read_options(LengthOptions, inputs.options)
        return Scores(np.asarray(inputs.rows.n_words, dtype=np.float64)[None, :])

    def cost(self, inputs: CostInputs) -> Cost:
        """No floating-point work."""
        return Cost(0.0, ACCOUNTANT, {})


METHOD = LengthMethod()
