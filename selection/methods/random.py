"""Uniform draws over rows: the arm every other one has to beat."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from selection.basics.draws import keyed_uniform
from selection.methods.contract.common import MethodDefaults, draw_per_seed
from selection.methods.contract.cost import CostInputs, MethodCost
from selection.methods.contract.protocol import FitInputs, Fitted, ScoreInputs, Scores


class RandomOptions(BaseModel):
    """Random has no options."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RandomMethod(MethodDefaults[RandomOptions]):
    """One uniform ranking per seed."""

    name: str = "random"
    needs_embeddings: bool = False
    needs_device: bool = False
    options: type[RandomOptions] = RandomOptions

    def draws_per_seed(self, options: RandomOptions) -> bool:
        """Each seed draws anew."""
        return True

    def fit(self, inputs: FitInputs[RandomOptions]) -> Fitted:
        """Nothing to learn."""
        return Fitted()

    def score(self, fitted: Fitted, inputs: ScoreInputs[RandomOptions]) -> Scores:
        """Draw uniform numbers keyed by (seed, row id): score of shape (len(seeds), n)."""
        return Scores(draw_per_seed(keyed_uniform, inputs.rows, inputs.seeds, self.name))

    def cost(self, inputs: CostInputs[RandomOptions]) -> MethodCost:
        """No floating-point work."""
        return self.charges(inputs.options, {})


METHOD = RandomMethod()
