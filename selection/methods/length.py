"""Longest rows first: the baseline that costs nothing and is hard to excuse losing to."""

from __future__ import annotations

import numpy as np

from selection.methods.contract.options import NoOptions
from selection.methods.contract.protocol import Fitted, Method, ScoreInputs, Scores


class LengthMethod(Method[NoOptions]):
    """A row's score is its number of words."""

    name: str = "length"
    options: type[NoOptions] = NoOptions

    def score(self, fitted: Fitted, inputs: ScoreInputs[NoOptions]) -> Scores:
        """Give the numbers of words: score of shape (1, n)."""
        return Scores(np.asarray(inputs.rows.n_words, dtype=np.float64)[None, :])


METHOD = LengthMethod()
