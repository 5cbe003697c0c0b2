"""How long do transport, scoring and exact distances take on this device?

On made-up vectors that lie in clusters, as those of texts do: only their numbers matter to the
time of a product, and so close to alike are theirs to that of a search and of a network simplex.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from selection.arms.distances import distances_to_target
from selection.methods.contract.named import NamedMethod
from selection.methods.contract.options import wants_contrast
from selection.methods.contract.protocol import FitInputs, ScoreInputs
from selection.methods.contract.values import Rows
from selection.methods.ot.options import OtOptions
from selection.planning.measuring import Probed, probe_seconds, probe_sizes
from selection.transport.potentials import solve_potentials

MOST_ROWS = 32_768
_FIT_ROWS = 2_048
_PASSES = 20  # a solve takes a few; one that would take more is as fast by FLOP
_CLUSTERS = 32
_WIDTH = 2_048


def probe_solve(
    options: OtOptions,
    *,
    width: int,
    n_target: int,
    device: str,
    memory_limit: int | None = None,
) -> Probed:
    """Measure the solve of the target's potentials.

    Parameters
    ----------
    options : of the method `ot`.
    width : of the embeddings.
    n_target : rows of the target that steer the selection.
    memory_limit : bytes that the solver may hold, as in `FitInputs`.
    """
    rows, target = _vectors(MOST_ROWS, width, seed=0), _vectors(n_target, width, seed=1)

    def solve(n_rows: int) -> float:
        return solve_potentials(
            rows[:n_rows],
            target,
            eps_rel=options.eps_rel,
            tol=options.tol,
            max_iterations=min(options.max_iterations, _PASSES),
            allow_unconverged=True,
            memory_limit=memory_limit,
            precision=options.precision,
            device=device,
        ).flops

    return probe_sizes(solve, smallest=64, most=MOST_ROWS)


def probe_scoring(named: NamedMethod, *, width: int, n_target: int, device: str) -> Probed:
    """Measure the scoring of rows by a method that needs embeddings, its fit apart.

    Parameters
    ----------
    named : a method and its options.
    width, n_target
        As for `probe_solve`.

    Raises
    ------
    ValueError
        For a method without embeddings: its scores cost no FLOPs.
    """
    scorer, options = named.method, named.options
    if not scorer.needs_embeddings:
        raise ValueError(f"`{named.name}` compares no embeddings: there is no rate to measure")
    pool, target = _rows(MOST_ROWS, width, seed=0), _rows(n_target, width, seed=1)
    # A fit that chooses among sources needs as many; which is near does not change the time.
    n_sources = getattr(options, "nearest_sources", None) or 1
    parts = [
        replace(pool.take(slice(start, _FIT_ROWS, n_sources)), source=f"source {start}")
        for start in range(n_sources)
    ]
    # By FLOP, rows are as fast against two targets as against one, whatever the second's size.
    contrast = _rows(n_target, width, seed=2) if wants_contrast(options) else None
    inputs = FitInputs(target, lambda: iter(parts), _FIT_ROWS, options, 0, device)
    fitted = scorer.fit(replace(inputs, contrast=contrast))

    def score(n_rows: int) -> float:
        block = replace(pool.take(slice(0, n_rows)), source=parts[0].source)
        return scorer.score(fitted, ScoreInputs(block, target, options, [0], device)).flops

    return probe_sizes(score, smallest=64, most=MOST_ROWS)


def probe_arithmetic() -> Probed:
    """Measure plain products of arrays, in float32 on the CPU."""
    values = np.ones((MOST_ROWS, _WIDTH), dtype=np.float32)
    weights = np.ones((_WIDTH, _CLUSTERS), dtype=np.float32)

    def multiply(n_rows: int) -> float:
        np.dot(values[:n_rows], weights)
        return 2.0 * n_rows * weights.size

    return probe_sizes(multiply, smallest=64, most=MOST_ROWS)


def probe_distances(*, n_rows: int, n_target: int, width: int) -> Probed:
    """Measure the three exact distances of a report, which no accountant charges for.

    Parameters
    ----------
    n_rows : of the subset, or the most that a distance is measured on.
    n_target : rows of the target that steer the selection.
    """
    vectors, target = _vectors(2 * n_rows, width, seed=0), _vectors(n_target, width, seed=1)
    row_id = _row_ids(2 * n_rows)
    chosen = set(row_id[:n_rows].tolist())
    return probe_seconds(
        lambda: distances_to_target(row_id, vectors, chosen, target, max_rows=n_rows)
    )


def _rows(n: int, width: int, *, seed: int) -> Rows:
    return Rows(_row_ids(n), [""] * n, np.ones(n, dtype=np.int64), _vectors(n, width, seed=seed))


def _row_ids(n: int) -> np.ndarray:
    return np.array([f"{number:032x}" for number in range(n)])


def _vectors(n: int, width: int, *, seed: int) -> np.ndarray:
    """Unit rows around common centres, float16 as embeddings are stored."""
    centres = np.random.default_rng(0).standard_normal((_CLUSTERS, width))
    rng = np.random.default_rng([1, seed])
    rows = centres[rng.integers(_CLUSTERS, size=n)] + rng.standard_normal((n, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
