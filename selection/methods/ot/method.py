"""Optimal transport (GOT-D, arXiv 2405.02774): rows the pool has too few of for the target.

One entropic problem between the pool and the target; a row's score is minus the calibrated
gradient of its value. The potentials are solved on a sample of the pool, every row is scored by
the out-of-sample formula, and the fit certifies the sample over the whole pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from types import MappingProxyType

import numpy as np

from selection.basics.draws import keyed_uniform
from selection.methods.contract.common import embeddings_of, settled
from selection.methods.contract.cost import CostInputs, Held, MethodCost, Phase
from selection.methods.contract.protocol import FitInputs, Fitted, Method, ScoreInputs, Scores
from selection.methods.ot.contrast import (
    CONTRAST,
    CONTRAST_ROWS,
    contrast_embeddings,
    contrast_side,
)
from selection.methods.ot.density import density_flops, weighing
from selection.methods.ot.options import OtOptions
from selection.methods.ot.sources import nearest_sources, source_receipts
from selection.methods.ot.state import arrays_of, facts_of, potentials_from
from selection.neighbours.targets import NEAREST_RECEIPTS, nearest_receipts
from selection.transport.kernel import planned_operations
from selection.transport.pool_pass import PoolPass
from selection.transport.problem import planned_annealing
from selection.transport.sampled import Certificate, solve_on_sample
from selection.transport.scores import calibrated_scores
from selection.transport.solution import Side

# Before a run the passes are unknown: real pools at the default eps and tol took 9 to 13.
_PLANNED_PASSES = 11
# Bytes; of a larger kernel the parts that a pass needs are computed anew where memory is short.
_HELD_KERNEL = 1e9


class OtMethod(Method[OtOptions]):
    """Minus the calibrated gradient of the transport cost to the target."""

    name: str = "ot"
    needs_embeddings: bool = True
    needs_device: bool = True
    cost_parts: Mapping[str, Phase] = MappingProxyType(
        {
            "pool_embedding": "embedding",
            "target_embedding": "embedding",
            "contrast_embedding": "embedding",
            "sources": "fit",
            "density": "fit",
            "solve": "fit",
            "certify": "fit",
            "score": "score",
            "nearest_target": "score",
        }
    )
    receipts: frozenset[str] = NEAREST_RECEIPTS | {
        *("potential", f"{CONTRAST}potential"),
        *("source_rank", "excluded"),
    }
    options: type[OtOptions] = OtOptions

    def fit_asset(self, options: OtOptions) -> str | None:
        """`ot_potentials`: the solve is what the method costs."""
        return "potentials"

    def fit(self, inputs: FitInputs[OtOptions]) -> Fitted:
        """Solve the target's potentials on a sample of the pool, and certify them on all of it.

        Returns
        -------
        Fitted
            arrays g, b and mass, each (M,); facts say how the solve went and what the
            certificate found, `converged` whether it holds. With `contrast_weight` the same again
            for the contrast, names beginning with "contrast_", and its embeddings;
            `converged` is then of both.

        Raises
        ------
        NotConverged
            The residual did not fall to tol.
        ValueError
            The pool yielded another number of rows than n_pool, unusable rows, or a contrast
            weight without a contrast.
        """
        options = inputs.options
        contrast = contrast_embeddings(inputs, options)
        target = embeddings_of(inputs.target, self.name)
        near = nearest_sources(inputs, target, options, inputs.report or (lambda line: None))
        solved = _solve(inputs, target, options, near.kept)
        arrays, facts, flops = solved.arrays, {**solved.facts, **near.facts}, solved.flops
        if contrast is not None:
            away = _solve(inputs, contrast, options, near.kept, prefix=CONTRAST)
            arrays = {**arrays, **away.arrays, CONTRAST_ROWS: contrast}
            both = bool(facts["converged"]) and bool(away.facts[f"{CONTRAST}converged"])
            facts = {**facts, **away.facts, "converged": both}
            flops += away.flops
        return Fitted(arrays, facts, near.flops + flops)

    def score(self, fitted: Fitted, inputs: ScoreInputs[OtOptions]) -> Scores:
        """Score of shape (1, n); receipts potential, nearest_target and nearest_cosine.

        With `contrast_weight` w the score is that for the target less w times that for the contrast
        (GOT-D, detoxification; w = 1 there is ours), and contrast_potential is a receipt. With
        `nearest_sources` also source_rank (0 is the nearest) and excluded: "far_source" for
        rows of a source that the fit left out.
        """
        rows, target = inputs.rows, inputs.target
        options = inputs.options
        embeddings = embeddings_of(rows, self.name)
        target_embeddings = embeddings_of(target, self.name)
        sides = [Side(target_embeddings, potentials_from(fitted)), *contrast_side(fitted, options)]
        one_pass = PoolPass(sides, device=inputs.device, precision=options.precision)
        (potential_SN,) = one_pass.over([embeddings])
        potential_SN = settled(potential_SN)
        score_N = calibrated_scores(potential_SN[0], sides[0].potentials)
        receipts = {"potential": potential_SN[0]}
        for side, potential_N in zip(sides[1:], potential_SN[1:], strict=True):
            score_N -= (options.contrast_weight or 0.0) * calibrated_scores(
                potential_N, side.potentials
            )
            receipts[f"{CONTRAST}potential"] = potential_N
        return Scores(
            settled(score_N)[None, :],
            {
                **receipts,
                **nearest_receipts(embeddings, target_embeddings, target.row_id),
                **source_receipts(fitted, rows),
            },
            one_pass.flops + _nearest_flops(len(embeddings), target_embeddings),
        )

    def cost(self, inputs: CostInputs[OtOptions]) -> MethodCost:
        """Embeddings, the solve on the sample, and three passes over pool x target.

        A sample smaller than the pool is solved three times, its halves and all of it, and then
        certified by one more pass; the larger samples of a failed certificate are not foreseen,
        nor is that the nearest sources may be a small part of the pool. A contrast is a second
        target, with its own solve and its share of the passes.
        """
        options = inputs.options
        contrasted = options.contrast_weight is not None
        n_targets = inputs.n_target + (inputs.n_contrast if contrasted else 0)
        sampled = inputs.n_pool > options.solve_rows
        half = options.solve_rows // 2
        solves = [options.solve_rows, half, half] if sampled else [inputs.n_pool]
        # Squared distances of unit rows are about one on average: eps is about eps_rel.
        annealed = sum(planned_annealing(n, options.eps_rel) for n in solves)
        anneal = planned_operations(inputs.width, passes=1)
        solve = planned_operations(inputs.width, passes=_PLANNED_PASSES)
        certify = planned_operations(inputs.width, passes=3) if sampled else 0.0
        score = planned_operations(inputs.width, passes=1)
        sources = planned_operations(inputs.width, passes=_PLANNED_PASSES)
        parts = {
            "pool_embedding": inputs.pool_embedding_flops,
            "target_embedding": inputs.target_embedding_flops,
            "contrast_embedding": inputs.contrast_embedding_flops if contrasted else 0.0,
            "sources": _source_rows(inputs, options) * inputs.n_target * sources,
            "density": density_flops(inputs, options) * (2 if contrasted else 1),
            "solve": (sum(solves) * solve + annealed * anneal) * n_targets,
            "certify": inputs.n_pool * n_targets * certify,
            "score": inputs.n_pool * n_targets * score,
            "nearest_target": 2.0 * inputs.n_pool * inputs.n_target * inputs.width,
        }
        return self.charges(inputs.options, parts)

    def memory(self, inputs: CostInputs[OtOptions]) -> Held:
        """The sample and its kernel, which is not held where it does not fit; and its halves."""
        n_solved = min(inputs.n_pool, inputs.options.solve_rows)
        kernel = min(4.0 * n_solved * inputs.n_target, _HELD_KERNEL)
        return Held(n_solved * 12.0 * inputs.width + kernel + 24.0 * inputs.n_pool, "solve_rows")


METHOD = OtMethod()


def _nearest_flops(n_rows: int, target: np.ndarray) -> float:
    return 2.0 * n_rows * target.size


def _source_rows(inputs: CostInputs[OtOptions], options: OtOptions) -> int:
    """Rows at most whose distance is measured by source."""
    if options.nearest_sources is None:
        return 0
    if inputs.n_sources is None:
        return inputs.n_pool
    return min(inputs.n_pool, inputs.n_sources * options.source_rows)


def _keyed(
    inputs: FitInputs[OtOptions], kept: frozenset[str] | None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give (seeded hash of the row ids, embeddings) of each batch of the kept sources."""
    seen = 0
    for rows in inputs.pool():
        seen += len(rows.row_id)
        if kept is not None and rows.source not in kept:
            continue
        keys = keyed_uniform(rows.row_id, seed=inputs.seed, purpose="ot_potentials")
        yield keys, embeddings_of(rows, METHOD.name)
    if seen != inputs.n_pool:
        raise ValueError(
            f"the pool yielded {seen} rows and n_pool says {inputs.n_pool}; "
            "count the rows again, or check that every source is read"
        )


def _solve(
    inputs: FitInputs[OtOptions],
    target: np.ndarray,
    options: OtOptions,
    kept: frozenset[str] | None,
    *,
    prefix: str = "",
) -> Fitted:
    """Solve for one target, and certify; names of arrays and facts begin with the prefix."""
    fingerprint = blake2b(np.ascontiguousarray(target).tobytes(), digest_size=16).hexdigest()
    previous, start = inputs.previous if options.warm_start else None, None
    # Only potentials of this very target are a start.
    if previous is not None and previous.facts.get(f"{prefix}target") == fingerprint:
        start = previous.arrays[f"{prefix}g"]
    found = solve_on_sample(
        lambda: _keyed(inputs, kept),
        target,
        n_rows=options.solve_rows,
        certificate=Certificate(options.max_pool_residual, options.min_overlap),
        options=options.solver(inputs.memory_limit),
        device=inputs.device,
        precision=options.precision,
        warm_start=start,
        weigh=weighing(options),
        say=inputs.report or (lambda line: None),
        engine=inputs.engine,
    )
    facts = facts_of(found, prefix)
    facts |= {f"{prefix}warm_start": start is not None, f"{prefix}target": fingerprint}
    return Fitted(arrays_of(found.potentials, prefix), facts, found.flops)
