"""Gumbel noise of a row: what turns log-weights into a draw without replacement.

Taking the k largest of log w_i + G_i draws k rows one after another, each with a probability
proportional to its weight among the rows that are left (Efraimidis and Spirakis, 2006, in the
logarithmic form of Kool et al., arXiv 1903.06059, section 2.3).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from selection.basics.draws import keyed_uniform


def keyed_gumbel(row_id: Iterable[str], *, seed: int, purpose: str) -> np.ndarray:
    """Standard Gumbel numbers that depend on (purpose, seed, row id) and on nothing else.

    Parameters
    ----------
    row_id, seed, purpose : as in `selection.basics.draws.keyed_uniform`

    Returns
    -------
    np.ndarray of shape (n,), float64
        Finite, from -3.7 to 36.8.
    """
    uniform = keyed_uniform(row_id, seed=seed, purpose=purpose)
    # The draw can be 0, whose logarithm is not finite; half of its step stands for it.
    return -np.log(-np.log(np.maximum(uniform, 2.0**-54)))
