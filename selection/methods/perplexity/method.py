"""Perplexity of the rows to a selector model that was tuned on the target.

As in CCDS (arXiv 2410.16208): the selector is smaller than the model to be trained and is first
fine-tuned on the target's dev split. Public code and papers disagree on what the "top" of a
perplexity ranking is ("When less is more", arXiv 2309.04564), so the band is named. A row is read
whole, in windows (`selection.models.windows`), and its perplexity is that of all its tokens.
"""

from __future__ import annotations

import numpy as np

from selection.methods.contract.common import required_selector, settled
from selection.methods.contract.cost import CostInputs, Held, MethodCost
from selection.methods.contract.preparation import Preparation
from selection.methods.contract.protocol import FitInputs, Fitted, Method, ScoreInputs, Scores
from selection.methods.contract.values import Rows
from selection.methods.perplexity.distribution import Distribution
from selection.methods.perplexity.options import PerplexityOptions
from selection.methods.perplexity.perplexities import Perplexities, TunedSelector


class PerplexityMethod(Method[PerplexityOptions]):
    """A band of the pool's perplexities, with the row's quantile as receipt."""

    name: str = "perplexity"
    needs_device: bool = True
    receipts: frozenset[str] = frozenset(
        {"perplexity", "quantile", "band", "tokens_read", "windows"}
    )
    options: type[PerplexityOptions] = PerplexityOptions

    def fit_asset(self, options: PerplexityOptions) -> str | None:
        """`perplexity_quantiles`: the pool's distribution."""
        return "quantiles"

    def preparations(self, options: PerplexityOptions) -> tuple[Preparation, ...]:
        """Tune the selector, unless for no epochs, and run it over the pool."""
        if options.epochs == 0:
            return (Perplexities(needs=()),)
        tuned = TunedSelector()
        return tuned, Perplexities(needs=(tuned.asset,))

    def fit(self, inputs: FitInputs[PerplexityOptions]) -> Fitted:
        """Sort the pool's log-perplexities, all of them: a row's quantile needs no more.

        Raises
        ------
        ValueError
            The pool yielded another number of rows than n_pool, or rows without their losses.
        """
        parts = [_log_perplexity(rows) for rows in inputs.pool()]
        log_N = np.sort(np.concatenate(parts)) if parts else np.empty(0)
        if len(log_N) != inputs.n_pool or len(log_N) == 0:
            raise ValueError(
                f"the pool yielded {len(log_N)} rows and n_pool says {inputs.n_pool}; "
                "count the rows again, or check that every source is read"
            )
        quantiles = np.quantile(log_N, [1 / 3, 1 / 2, 2 / 3])
        names = ("perplexity_third", "perplexity_median", "perplexity_two_thirds")
        facts = dict(zip(names, np.exp(quantiles).tolist(), strict=True))
        return Fitted({"sorted_log": log_N}, {"n_pool": len(log_N), **facts})

    def score(self, fitted: Fitted, inputs: ScoreInputs[PerplexityOptions]) -> Scores:
        """Score of shape (1, n); receipts perplexity, quantile (mid-rank, 0 to 1) and band.

        And how many tokens of the row, all that it has, were read in how many windows.
        """
        band = inputs.options.band
        log_N = _log_perplexity(inputs.rows)
        pool = Distribution(fitted.arrays["sorted_log"])
        return Scores(
            pool.score(log_N, band)[None, :] + 0.0,
            {
                "perplexity": np.exp(log_N),
                "quantile": pool.quantile(log_N),
                "band": pool.band(log_N),
                "tokens_read": inputs.rows.features[:, 1].astype(np.int64),
                "windows": inputs.rows.features[:, 2].astype(np.int64),
            },
        )

    def cost(self, inputs: CostInputs[PerplexityOptions]) -> MethodCost:
        """Tuning on the target, and one forward over the pool; sorting multiplies nothing.

        Raises
        ------
        ValueError
            Without a selector.
        """
        accountant = required_selector(inputs.selector).accountant
        made = self.preparations(inputs.options)
        parts = {preparation.asset: preparation.flops(inputs) for preparation in made}
        return self.charges(inputs.options, parts, accountant)

    def memory(self, inputs: CostInputs[PerplexityOptions]) -> Held:
        """A number of each row, while they are sorted."""
        return Held(24.0 * inputs.n_pool)


METHOD = PerplexityMethod()


def _log_perplexity(rows: Rows) -> np.ndarray:
    """Mean loss of each row in nats, float64 of shape (n,)."""
    if rows.features is None:
        raise ValueError(
            f"method 'perplexity' needs the losses of the {len(rows.row_id)} rows given and they "
            "carry none; pass Rows whose features are those of the preparation `perplexities`"
        )
    features_N2 = np.asarray(rows.features, dtype=np.float64)
    return settled(features_N2[:, 0] / features_N2[:, 1])
