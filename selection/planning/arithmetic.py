"""How long do products of arrays and exact distances take on this device?

On made-up vectors that lie in clusters, as those of texts do: only their numbers matter to the
time of a product, and so close to alike are theirs to that of a search and of a network simplex.
"""

from __future__ import annotations

import numpy as np

from selection.arms.distances import distances_to_target
from selection.planning.measuring import Probed, probe_seconds, probe_sizes

MOST_ROWS = 32_768
_CLUSTERS = 32
_WIDTH = 2_048


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
    row_id = np.array([f"{number:032x}" for number in range(2 * n_rows)])
    chosen = set(row_id[:n_rows].tolist())
    return probe_seconds(
        lambda: distances_to_target(row_id, vectors, chosen, target, max_rows=n_rows)
    )


def _vectors(n: int, width: int, *, seed: int) -> np.ndarray:
    """Unit rows around common centres, float16 as embeddings are stored."""
    centres = np.random.default_rng(0).standard_normal((_CLUSTERS, width))
    rng = np.random.default_rng([1, seed])
    rows = centres[rng.integers(_CLUSTERS, size=n)] + rng.standard_normal((n, width))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float16)
