"""Longest rows first: the baseline that costs nothing and is hard to excuse losing to."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from selection.methods.contract.common import MethodDefaults
from selection.methods.contract.cost import CostInputs, MethodCost
from selection.methods.contract.protocol import FitInputs, Fitted, ScoreInputs, Scores


class LengthOptions(BaseModel):
    """Length has no options."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LengthMethod(MethodDefaults[LengthOptions]):
    """A row's score is its number of words."""

    name: str = "length"
    needs_embeddings: bool = False
    needs_device: bool = False
    options: type[LengthOptions] = LengthOptions

    def fit(self, inputs: FitInputs[LengthOptions]) -> Fitted:
        """Nothing to learn."""
        return Fitted()

    def score(self, fitted: Fitted, inputs: ScoreInputs[LengthOptions]) -> Scores:
        """Give the numbers of words: score of shape (1, n)."""
        return Scores(np.asarray(inputs.rows.n_words, dtype=np.float64)[None, :])

    def cost(self, inputs: CostInputs[LengthOptions]) -> MethodCost:
        """No floating-point work."""
        return self.charges(inputs.options, {})


METHOD = LengthMethod()
