"""Did the selected rows come nearer to the target than random rows?"""

from __future__ import annotations

from collections.abc import Set

import numpy as np

from selection.basics.draws import keyed_uniform
from selection.basics.vectors import Vectors
from selection.transport.distance import ot_distance


def distances_to_target(
    row_id: np.ndarray,
    vectors: Vectors,
    chosen: Set[str],
    target: np.ndarray,
    *,
    max_rows: int,
) -> dict[str, float]:
    """Exact OT distance (POT) of pool, random rows and subset to the target.

    An empirical OT distance falls as its samples grow, so all three are measured on the same
    number of rows: that of the subset, or `max_rows` if that is less.

    Parameters
    ----------
    row_id : of shape (n,), the pool.
    vectors : of shape (n, d).
    chosen : row ids of the subset.
    target : of shape (m, d).

    Returns
    -------
    dict of str to float
        "pool", "random", "subset". "pool" and "random" are two independent uniform draws: the
        first stands for the whole pool, and their gap shows how much drawing matters.
    """
    # numpy compares Python's strings each with each; a set hashes them.
    in_subset = np.fromiter((row in chosen for row in row_id), bool, len(row_id))
    n_rows = min(int(in_subset.sum()), max_rows)
    draws = {
        "pool": np.argsort(keyed_uniform(row_id, seed=0, purpose="pool distance")),
        "random": np.argsort(keyed_uniform(row_id, seed=1, purpose="pool distance")),
        "subset": np.flatnonzero(in_subset),
    }
    return {
        name: ot_distance(
            vectors[order[:n_rows] if name != "subset" else order], target, max_rows=n_rows
        ).distance
        for name, order in draws.items()
    }
