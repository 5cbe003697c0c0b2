"""Optimal transport (GOT-D, arXiv 2405.02774): rows the pool has too few of for the target.

One entropic problem between the pool and the target; a row's score is minus the calibrated
gradient of its value. The potentials are solved on a sample of the pool, every row is scored by
the out-of-sample formula, and the fit certifies the sample by the residual over the whole pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from selection.draws import keyed_uniform
from selection.methods._common import embeddings_of, read_options, settled
from selection.methods.protocol import ACCOUNTANT, Cost, CostInputs, FitInputs, Fitted, Rows, Scores
from selection.neighbours import nearest_receipts
from selection.transport.potentials import Potentials, solve_potentials
from selection.transport.scores import calibrated_scores, measure_pool, row_potentials

# Before a run the iterations are unknown: real pools at the default eps and tol took 8 to 17.
_PLANNED_ITERATIONS = 20
# Per entry of the cost: subtract, scale, add the weight, and two log-sum-exps (maximum, subtract,
# exponential, sum), an exponential counted as one operation; a lower bound, as is usual.
_OPERATIONS_PER_ENTRY = 12.0


class OtOptions(BaseModel):
    """Options of the optimal-transport method."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    eps_rel: float = Field(
        default=0.05, gt=0, description="regularisation as a share of the mean squared distance"
    )
    tol: float = Field(
        default=1e-3, gt=0, lt=2, description="L1 error allowed in the target's marginal"
    )
    solve_rows: int = Field(
        default=50_000, ge=2, description="rows of the pool to solve on at most, by a seeded hash"
    )
    max_pool_residual: float = Field(
        default=0.05,
        gt=0,
        lt=2,
        description="L1 error allowed over the whole pool; raise solve_rows when it is exceeded",
    )
    max_iterations: int = Field(
        default=10_000, ge=1, description="iterations after which a solve above tol is an error"
    )


class OtMethod:
    """Minus the calibrated gradient of the transport cost to the target."""

    name: str = "ot"
    needs_embeddings: bool = True
    fit_asset: str | None = "ot_potentials"
    draws_per_seed: bool = False
    options: type[BaseModel] = OtOptions

    def fit(self, inputs: FitInputs) -> Fitted:
        """Solve the target's potentials on a sample of the pool, and certify them on all of it.

        Returns
        -------
        Fitted
            arrays f (n_solved,), g and b (M,); facts eps, residual,
            iterations, converged, n_solved, n_pool, pool_residual, history.

        Raises
        ------
        NotConverged
            The residual did not fall to tol.
        ValueError
            The pool yielded another number of rows than n_pool, or unusable rows.
        """
        options = read_options(OtOptions, inputs.options)
        target = embeddings_of(inputs.target, self.name)
        say = inputs.report or (lambda line: None)
        sample = _sample_pool(inputs.pool, inputs.n_pool, options.solve_rows, inputs.seed)
        say(f"solve potentials on {len(sample)} of {inputs.n_pool} rows")
        solved = solve_potentials(
            sample,
            target,
            eps_rel=options.eps_rel,
            tol=options.tol,
            memory_limit=inputs.memory_limit,
            device=inputs.device,
            max_iterations=options.max_iterations,
            report=lambda i, residual: say(f"iteration {i}: marginal residual {residual:.3g}"),
        )
        pool_fit = measure_pool(
            (embeddings_of(rows, self.name) for rows in inputs.pool()),
            target,
            solved,
            device=inputs.device,
        )
        sizes = target.shape[1], len(target)
        say(f"marginal residual over all {pool_fit.n} rows: {pool_fit.residual:.3g}")
        return Fitted(
            {"f": solved.f, "g": solved.g, "b": solved.b},
            {
                "eps": solved.eps,
                "residual": solved.residual,
                "iterations": solved.iterations,
                "converged": solved.converged and pool_fit.residual <= options.max_pool_residual,
                "n_solved": len(solved.f),
                "n_pool": pool_fit.n,
                "pool_residual": pool_fit.residual,
                "history": list(solved.history),
            },
            _solve_flops(len(sample), *sizes, iterations=solved.iterations)
            + _pass_flops(pool_fit.n, *sizes),
        )

    def score(
        self,
        fitted: Fitted,
        rows: Rows,
        *,
        target: Rows,
        options: Mapping[str, Any] | BaseModel,
        seeds: Sequence[int],
        device: str | None = None,
    ) -> Scores:
        """Score of shape (1, n); receipts potential, nearest_target and nearest_cosine."""
        read_options(OtOptions, options)
        embeddings = embeddings_of(rows, self.name)
        target_embeddings = embeddings_of(target, self.name)
        sizes = target_embeddings.shape[1], len(target_embeddings)
        solved = _potentials_from(fitted)
        potential_N = settled(row_potentials(embeddings, target_embeddings, solved, device=device))
        return Scores(
            settled(calibrated_scores(potential_N, solved))[None, :],
            {
                "potential": potential_N,
                **nearest_receipts(embeddings, target_embeddings, target.row_id),
            },
            _pass_flops(len(embeddings), *sizes) + _nearest_flops(len(embeddings), *sizes),
        )

    def cost(self, inputs: CostInputs) -> Cost:
        """Embeddings, the solve on the sample, and three passes over pool x target."""
        options = read_options(OtOptions, inputs.options)
        solved = min(inputs.n_pool, options.solve_rows)
        sizes = inputs.width, inputs.n_target
        parts = {
            "pool_embedding": inputs.pool_embedding_flops,
            "target_embedding": inputs.target_embedding_flops,
            "solve": _solve_flops(solved, *sizes, iterations=_PLANNED_ITERATIONS),
            "certify": _pass_flops(inputs.n_pool, *sizes),
            "score": _pass_flops(inputs.n_pool, *sizes),
            "nearest_target": _nearest_flops(inputs.n_pool, *sizes),
        }
        return Cost(sum(parts.values()), ACCOUNTANT, parts)


METHOD = OtMethod()


def _solve_flops(n_rows: int, width: int, n_target: int, *, iterations: int) -> float:
    return n_rows * n_target * (2.0 * width + iterations * _OPERATIONS_PER_ENTRY)


def _pass_flops(n_rows: int, width: int, n_target: int) -> float:
    return _solve_flops(n_rows, width, n_target, iterations=1)


def _nearest_flops(n_rows: int, width: int, n_target: int) -> float:
    return 2.0 * n_rows * width * n_target


def _potentials_from(fitted: Fitted) -> Potentials:
    """Rebuild the solver's result from what was stored."""
    facts: dict[str, Any] = fitted.facts
    return Potentials(
        f=fitted.arrays["f"],
        g=fitted.arrays["g"],
        b=fitted.arrays["b"],
        eps=facts["eps"],
        residual=facts["residual"],
        iterations=facts["iterations"],
        converged=facts["converged"],
        history=tuple(facts["history"]),
    )


def _sample_pool(
    pool: Callable[[], Iterator[Rows]], n_pool: int, size: int, seed: int
) -> np.ndarray:
    """Give the embeddings of the ``size`` rows with the smallest keyed hash, in hash order.

    In one pass that holds the sample and one batch. The order by hash makes the solve the same
    to the bit whatever the order of the sources and the size of their batches.
    """
    sample: np.ndarray | None = None
    keys = np.empty(0)
    seen = 0
    for rows in pool():
        batch = embeddings_of(rows, "ot")
        seen += len(batch)
        batch_keys = keyed_uniform(rows.row_id, seed=seed, purpose="ot_potentials")
        keys = np.concatenate([keys, batch_keys])
        sample = batch if sample is None else np.concatenate([sample, batch])
        kept = np.argsort(keys, kind="stable")[:size]
        keys, sample = keys[kept], sample[kept]
    if sample is None or seen != n_pool:
        raise ValueError(
            f"the pool yielded {seen} rows and n_pool says {n_pool}; "
            "count the rows again, or check that every source is read"
        )
    return sample
