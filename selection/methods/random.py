"""Uniform draws over rows: the arm every other one has to beat."""

from __future__ import annotations

from selection.basics.draws import keyed_uniform
from selection.methods.contract.common import draw_per_seed
from selection.methods.contract.options import NoOptions
from selection.methods.contract.protocol import Fitted, Method, ScoreInputs, Scores


class RandomMethod(Method[NoOptions]):
    """One uniform ranking per seed."""

    name: str = "random"
    options: type[NoOptions] = NoOptions

    def draws_per_seed(self, options: NoOptions) -> bool:
        """Each seed draws anew."""
        return True

    def score(self, fitted: Fitted, inputs: ScoreInputs[NoOptions]) -> Scores:
        """Draw uniform numbers keyed by (seed, row id): score of shape (len(seeds), n)."""
        return Scores(draw_per_seed(keyed_uniform, inputs.rows, inputs.seeds, self.name))


METHOD = RandomMethod()
