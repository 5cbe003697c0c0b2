"""Which of many verdicts hold when their number is counted?

A table of 40 arms without any effect shows two "better" or "worse" at the 5 % level on average.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def holm(p_N: ArrayLike) -> np.ndarray:
    """Adjust p-values so that the chance of *any* false verdict stays below the level.

    Whatever the dependence between them: arms of one table share the random arm, the examples and
    often the pool. Adjusted p-value of the k-th smallest of n: the largest of ``(n - j + 1) p_j``
    for j up to k, at most 1.

    Parameters
    ----------
    p_N : array_like of shape (n,)
        P-values in [0, 1]; n may be 0.

    Returns
    -------
    np.ndarray of shape (n,), float64
        To be compared with 1 - level.

    Raises
    ------
    ValueError
        If a value is not a probability.

    References
    ----------
    Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Statist. 6.
    """
    p_N = _checked(p_N)
    order = np.argsort(p_N, kind="stable")
    stepped = np.arange(len(p_N), 0, -1) * p_N[order]
    adjusted_N = np.empty(len(order))
    adjusted_N[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted_N


def _checked(p_N: ArrayLike) -> np.ndarray:
    p_N = np.asarray(p_N, dtype=np.float64)
    if p_N.ndim != 1 or not ((p_N >= 0) & (p_N <= 1)).all():
        raise ValueError(f"p-values are numbers from 0 to 1 in one dimension, got {p_N.tolist()}.")
    return p_N
