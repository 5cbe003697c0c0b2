"""What do steps that have run say about how long the next of their kind will take?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from selection.planning.rates import Rate


def rate_seen(steps: Sequence[tuple[float, float]]) -> Rate:
    """Rate at which steps of one kind have run: what best explains the seconds of all of them.

    Relative errors count, so that a short step says as much as a long one. Neither part can be
    negative (non-negative least squares, Lawson and Hanson 1974, "Solving Least Squares Problems").

    Parameters
    ----------
    steps : (FLOPs, seconds) of each, seconds above 0.

    Raises
    ------
    ValueError
        Without a step, or for one that took no time.
    """
    from scipy.optimize import nnls

    flops_N, seconds_N = np.array(steps, dtype=np.float64).reshape(-1, 2).T
    if not len(seconds_N) or not (seconds_N > 0).all():
        raise ValueError(f"a rate needs steps that took time, got {list(steps)}")
    unit = float(flops_N.max()) or 1.0
    if np.ptp(flops_N) <= 1e-9 * unit:  # of one size only: nothing parts fixed time from the rest
        typical = float(np.median(seconds_N))
        return Rate(0.0, typical / unit) if flops_N.max() > 0 else Rate(typical, 0.0)
    columns_N2 = np.stack([1.0 / seconds_N, flops_N / unit / seconds_N], axis=1)
    (fixed, per_unit), _ = nnls(columns_N2, np.ones(len(seconds_N)))
    return Rate(float(fixed), float(per_unit) / unit)
