"""What curve do the scores of a method follow?

The offset form of CCDS (arXiv 2410.16208), in which x is the share of the pool's training cost,
selection not counted::

    P(x) = (P_max - P_0) (1 - exp(-lambda x)) + P_0

Axis letters: N points, M methods, K free parameters. Every method has three coefficients, (P_0,
P_max, log lambda): the ends, which all methods share, are free parameters or given numbers, and a
lambda is its method's own. The logarithm keeps it and both ends of its interval positive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Data:
    """The points of one or more methods.

    Parameters
    ----------
    share_N : np.ndarray of shape (n_points,)
        Training cost over that of the whole pool.
    score_N : np.ndarray of shape (n_points,)
        Higher is better.
    method_N : np.ndarray of shape (n_points,)
        Which method a point belongs to, 0 to n_methods - 1.
    weight_N : np.ndarray of shape (n_points,)
        How many independent runs a point stands for.
    n_methods : int
        M.
    """

    share_N: np.ndarray
    score_N: np.ndarray
    method_N: np.ndarray
    weight_N: np.ndarray
    n_methods: int


def curve(coefficients_3: np.ndarray, share_N: np.ndarray) -> np.ndarray:
    """Scores (N,) of one method at shares of the pool's training cost."""
    p0, p_max, log_rate = coefficients_3
    return p_max + (p0 - p_max) * np.exp(-np.exp(log_rate) * share_N)


def slopes(coefficients_3: np.ndarray, share_N: np.ndarray) -> np.ndarray:
    """Derivatives (N, 3) of those scores by P_0, P_max and log lambda."""
    p0, p_max, log_rate = coefficients_3
    exponent_N = np.exp(log_rate) * share_N
    left_N = np.exp(-exponent_N)
    return np.stack([left_N, 1.0 - left_N, (p_max - p0) * exponent_N * left_N], axis=-1)
