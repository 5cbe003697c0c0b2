"""Random draws that give each source of the pool the same weight, however many rows it has."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from selection.basics.draws import keyed_uniform
from selection.methods.contract.common import draw_per_seed
from selection.methods.contract.options import NoOptions
from selection.methods.contract.protocol import FitInputs, Fitted, Method, ScoreInputs, Scores


class RandomBalancedMethod(Method[NoOptions]):
    """One ranking per seed that takes equally many rows of each source, as long as it has some.

    A row's draw is uniform up to the number of rows of its source, so that the rows below any bound
    are as many of one source as of another, on average and within the noise of drawing.
    """

    name: str = "random_balanced"
    receipts: frozenset[str] = frozenset({"source_rows"})
    options: type[NoOptions] = NoOptions

    def draws_per_seed(self, options: NoOptions) -> bool:
        """Each seed draws anew."""
        return True

    def fit(self, inputs: FitInputs[NoOptions]) -> Fitted:
        """Count the rows of each source that the pool yields, be it all of them or one."""
        counts: Counter[str] = Counter()
        for rows in inputs.pool():
            counts[rows.source] += len(rows.row_id)
        return Fitted(facts={"sources": [[source, counts[source]] for source in sorted(counts)]})

    def score(self, fitted: Fitted, inputs: ScoreInputs[NoOptions]) -> Scores:
        """Draw up to minus the source's rows: score (len(seeds), n), receipt source_rows.

        Raises
        ------
        ValueError
            Without a seed, or for rows of a source that the fit has not counted.
        """
        rows = inputs.rows
        draws = draw_per_seed(keyed_uniform, rows, inputs.seeds, self.name)
        n_rows = len(rows.row_id)
        sources: Any = fitted.facts["sources"]
        counted = dict(sources).get(rows.source, 0)
        if counted < n_rows:
            raise ValueError(
                f"method {self.name!r} counted {counted} rows of source {rows.source!r} and is to "
                f"score {n_rows} of them; fit it on a pool that yields all rows of this source"
            )
        receipt = np.full(n_rows, counted, dtype=np.int64)
        return Scores(-counted * draws, {"source_rows": receipt})


METHOD = RandomBalancedMethod()
