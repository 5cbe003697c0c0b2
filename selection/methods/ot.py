"""Optimal transport (GOT-D, arXiv 2405.02774): rows the pool has too few of for the target.

One entropic problem between the pool and the target; a row's score is minus the calibrated
gradient of its value. The potentials are solved on a sample of the pool, every row is scored by
the out-of-sample formula, and the fit certifies the sample over the whole pool.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from selection.draws import keyed_uniform
from selection.methods._common import embeddings_of, read_options, settled
from selection.methods.preparation import Files, Preparation
from selection.methods.protocol import ACCOUNTANT, Cost, CostInputs, FitInputs, Fitted, Rows, Scores
from selection.neighbours.density import density
from selection.neighbours.targets import nearest_receipts
from selection.transport.kernel import planned_operations
from selection.transport.pool_pass import PoolPass, Side
from selection.transport.potentials import Potentials
from selection.transport.sampled import Certificate, Weigh, solve_on_sample
from selection.transport.scores import calibrated_scores

# Before a run the passes are unknown: real pools at the default eps and tol took 3 to 7.
_PLANNED_PASSES = 5


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
        default=50_000,
        ge=2,
        description="rows of the pool to solve on, by a seeded hash; twice as many while the "
        "certificate fails",
    )
    max_pool_residual: float = Field(
        default=0.05,
        gt=0,
        lt=2,
        description="certificate: L1 error allowed in the target's marginal over the whole pool",
    )
    min_overlap: float = Field(
        default=0.95,
        ge=0,
        le=1,
        description="certificate: estimated overlap of the top 1 % with a solve on the whole pool",
    )
    max_iterations: int = Field(
        default=10_000, ge=1, description="passes after which a solve above tol is an error"
    )
    precision: Literal["float32", "tf32", "bfloat16"] = Field(
        default="float32", description="of the products of rows and target"
    )
    density_neighbours: int | None = Field(
        default=None,
        ge=2,
        description="weigh rows by 1 / density (TSDS) over this many neighbours in the sample, so "
        "that copies of a text together weigh as one; null: every row weighs the same",
    )
    density_cosine: float = Field(
        default=0.9, gt=0, lt=1, description="cosine from which on a neighbour adds to the density"
    )
    warm_start: bool = Field(
        default=False,
        description="start from the last fit's potentials: fewer passes, but a result that within "
        "tol depends on what was fitted before",
    )


class OtMethod:
    """Minus the calibrated gradient of the transport cost to the target."""

    name: str = "ot"
    needs_embeddings: bool = True
    options: type[BaseModel] = OtOptions

    def fit_asset(self, options: Mapping[str, Any] | BaseModel) -> str | None:
        """`ot_potentials`: the solve is what the method costs."""
        return "potentials"

    def draws_per_seed(self, options: Mapping[str, Any] | BaseModel) -> bool:
        """There is one ranking."""
        return False

    def preparations(self, options: Mapping[str, Any] | BaseModel) -> tuple[Preparation, ...]:
        """Nothing comes before it."""
        return ()

    def fit(self, inputs: FitInputs) -> Fitted:
        """Solve the target's potentials on a sample of the pool, and certify them on all of it.

        Returns
        -------
        Fitted
            arrays g, b and mass, each (M,); facts say how the solve went and what the
            certificate found, `converged` whether it holds.

        Raises
        ------
        NotConverged
            The residual did not fall to tol.
        ValueError
            The pool yielded another number of rows than n_pool, or unusable rows.
        """
        options = read_options(OtOptions, inputs.options)
        target = embeddings_of(inputs.target, self.name)
        fingerprint = blake2b(np.ascontiguousarray(target).tobytes(), digest_size=16).hexdigest()
        start = _start(inputs.previous, fingerprint) if options.warm_start else None
        found = solve_on_sample(
            lambda: _keyed(inputs),
            target,
            n_rows=options.solve_rows,
            certificate=Certificate(options.max_pool_residual, options.min_overlap),
            options={
                "eps_rel": options.eps_rel,
                "tol": options.tol,
                "max_iterations": options.max_iterations,
                "memory_limit": inputs.memory_limit,
                "precision": options.precision,
            },
            device=inputs.device,
            precision=options.precision,
            warm_start=start,
            weigh=_weighing(options),
            say=inputs.report or (lambda line: None),
        )
        solved = found.potentials
        return Fitted(
            {"g": solved.g, "b": solved.b, "mass": solved.mass},
            {
                "converged": found.certified,
                "pool_residual": found.pool_fit.residual,
                "estimated_overlap": [
                    {"top_share": share, "overlap": overlap}
                    for share, overlap in found.overlap.items()
                ],
                "n_solved": found.n_solved,
                "n_pool": found.pool_fit.n,
                "mean_f": solved.mean_f,
                "eps": solved.eps,
                "residual": solved.residual,
                "iterations": solved.iterations,
                "history": list(solved.history),
                "path": solved.path,
                "precision": solved.precision,
                "precision_error": solved.precision_error,
                "peak_bytes": solved.peak_bytes,
                "solve_flops": solved.flops,
                "warm_start": start is not None,
                "target": fingerprint,
            },
            found.flops,
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
        prepared: Mapping[str, Files] | None = None,
    ) -> Scores:
        """Score of shape (1, n); receipts potential, nearest_target and nearest_cosine."""
        embeddings = embeddings_of(rows, self.name)
        target_embeddings = embeddings_of(target, self.name)
        solved = _potentials_from(fitted)
        one_pass = PoolPass(
            [Side(target_embeddings, solved)],
            device=device,
            precision=read_options(OtOptions, options).precision,
        )
        (potential_SN,) = one_pass.over([embeddings])
        potential_N = settled(potential_SN[0])
        return Scores(
            settled(calibrated_scores(potential_N, solved))[None, :],
            {
                "potential": potential_N,
                **nearest_receipts(embeddings, target_embeddings, target.row_id),
            },
            one_pass.flops + _nearest_flops(len(embeddings), target_embeddings),
        )

    def cost(self, inputs: CostInputs) -> Cost:
        """Embeddings, the solve on the sample, and three passes over pool x target.

        A sample smaller than the pool is solved three times, its halves and all of it, and then
        certified by one more pass; the larger samples of a failed certificate are not foreseen.
        """
        options = read_options(OtOptions, inputs.options)
        sampled = inputs.n_pool > options.solve_rows
        solved_rows = 2 * options.solve_rows if sampled else inputs.n_pool
        solve = planned_operations(inputs.width, passes=_PLANNED_PASSES)
        certify = planned_operations(inputs.width, passes=3) if sampled else 0.0
        score = planned_operations(inputs.width, passes=1)
        parts = {
            "pool_embedding": inputs.pool_embedding_flops,
            "target_embedding": inputs.target_embedding_flops,
            "solve": solved_rows * inputs.n_target * solve,
            "certify": inputs.n_pool * inputs.n_target * certify,
            "score": inputs.n_pool * inputs.n_target * score,
            "nearest_target": 2.0 * inputs.n_pool * inputs.n_target * inputs.width,
        }
        return Cost(sum(parts.values()), ACCOUNTANT, parts)


METHOD = OtMethod()


def _nearest_flops(n_rows: int, target: np.ndarray) -> float:
    return 2.0 * n_rows * target.size


def _keyed(inputs: FitInputs) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give (seeded hash of the row ids, embeddings) of each batch of the pool."""
    seen = 0
    for rows in inputs.pool():
        seen += len(rows.row_id)
        keys = keyed_uniform(rows.row_id, seed=inputs.seed, purpose="ot_potentials")
        yield keys, embeddings_of(rows, METHOD.name)
    if seen != inputs.n_pool:
        raise ValueError(
            f"the pool yielded {seen} rows and n_pool says {inputs.n_pool}; "
            "count the rows again, or check that every source is read"
        )


def _start(previous: Fitted | None, fingerprint: str) -> np.ndarray | None:
    """Give the potentials of the last fit when it was for this very target."""
    if previous is None or previous.facts.get("target") != fingerprint:
        return None
    return previous.arrays["g"]


def _weighing(options: OtOptions) -> Weigh | None:
    if options.density_neighbours is None:
        return None
    bandwidth = math.sqrt(2.0 - 2.0 * options.density_cosine)

    def weigh(rows: np.ndarray, sample: np.ndarray) -> np.ndarray:
        neighbours = min(options.density_neighbours or 1, len(sample))
        return 1.0 / density(rows, sample, neighbours=neighbours, bandwidth=bandwidth)

    return weigh


def _potentials_from(fitted: Fitted) -> Potentials:
    """Rebuild what scoring needs of the solver's result; the sample's potentials are not kept."""
    facts: dict[str, Any] = fitted.facts
    return Potentials(
        f=np.empty(0),
        g=fitted.arrays["g"],
        b=fitted.arrays["b"],
        mass=fitted.arrays["mass"],
        n=facts["n_solved"],
        mean_f=facts["mean_f"],
        eps=facts["eps"],
        residual=facts["residual"],
        converged=facts["converged"],
        history=tuple(facts["history"]),
        path=facts["path"],
        precision=facts["precision"],
        precision_error=facts["precision_error"],
        peak_bytes=facts["peak_bytes"],
        flops=facts["solve_flops"],
    )
