"""Short vectors whose inner products are never below the cosines of the rows they stand for.

For orthonormal V, ``<x, y> = <V'x, V'y> + <x - VV'x, y - VV'y>``, and by Cauchy and Schwarz the
last term is at most the product of the two remainders' lengths. So the r numbers ``V'x`` and, as
one more, the length of the remainder give vectors whose inner product bounds the cosine, and a
pair whose bound is below a threshold is ruled out for certain at r + 1 multiplications for D.
"""

from __future__ import annotations

import numpy as np

# Above what float32 loses in an inner product of short vectors or of whole unit rows.
BOUND_SLACK = 1e-5
_WIDTHS = (8, 16, 32, 64, 128)
_SAMPLE_ROWS = 2048
# One sampled row in so many is paired with the others.
_PROBED_SHARE = 8
_ITERATIONS = 4
_DEPENDENT = 1e-6
# Checking a pair that the bound let through takes as long as this many multiplications of the
# bound (measured: 1 microsecond to 0.02 nanoseconds).
_CHECK_COST = 50_000


def fit_basis(rows_ND: np.ndarray, threshold: float) -> np.ndarray | None:
    """Choose the directions that rule pairs below a cosine out at the least cost.

    They are nearly the leading right singular vectors of a sample of the rows (the bound holds
    for any; these make it tight). How many is decided by the share of the sample's pairs that the
    bound lets through.

    Parameters
    ----------
    rows_ND : np.ndarray of shape (n, D), float32
        Unit rows, two at least; evenly spaced ones are read.
    threshold : float

    Returns
    -------
    np.ndarray of shape (D, r), float64, or None
        None when whole rows cost less than any bound.
    """
    sample_SD = rows_ND[:: -(-len(rows_ND) // _SAMPLE_ROWS)].astype(np.float64)
    width = rows_ND.shape[1]
    moments_DD = sample_SD.T @ sample_SD
    # Orthogonal iteration, as the bound asks for orthonormal directions and not for the very best.
    directions_DR = np.random.default_rng(0).standard_normal((width, min(width, _WIDTHS[-1])))
    for _ in range(_ITERATIONS):
        directions_DR = _orthonormal(moments_DD @ directions_DR)
    n_probes = -(-len(sample_SD) // _PROBED_SHARE)
    best, best_cost = None, float(width)
    for r in _WIDTHS:
        if r + 1 >= best_cost:
            break
        basis_DR = np.ascontiguousarray(directions_DR[:, :r])
        short_SR = shorten(sample_SD, basis_DR)
        bounds = short_SR[:n_probes] @ short_SR[n_probes:].T
        cost = r + 1 + _CHECK_COST * float((bounds >= threshold - BOUND_SLACK).mean())
        if cost < best_cost:
            best, best_cost = basis_DR, cost
    return best


def _orthonormal(columns_DR: np.ndarray) -> np.ndarray:
    """Modified Gram-Schmidt; LAPACK's threads wait seconds for each other where cores are shared.

    A column that all but depends on those before it becomes zero, which leaves a projection.
    """
    columns_DR = columns_DR.copy()
    given_R = np.sqrt(np.square(columns_DR).sum(axis=0))
    for i, given in enumerate(given_R):
        length = np.sqrt(np.square(columns_DR[:, i]).sum())
        # What is left of a dependent column is rounding, which has no direction of its own.
        columns_DR[:, i] *= 1.0 / length if length > _DEPENDENT * given else 0.0
        shares_R = np.einsum("d,dr->r", columns_DR[:, i], columns_DR[:, i + 1 :])
        columns_DR[:, i + 1 :] -= columns_DR[:, i, None] * shares_R
    return columns_DR


def shorten(rows_ND: np.ndarray, basis_DR: np.ndarray) -> np.ndarray:
    """Give the short vectors of unit rows: shape (n, r + 1), float32."""
    # In float64: a remainder is the root of a small difference, which float32 would not resolve.
    rows_ND = rows_ND.astype(np.float64)
    projected_NR = rows_ND @ basis_DR
    remainder_N = np.square(rows_ND).sum(axis=1) - np.square(projected_NR).sum(axis=1)
    short_NR = np.empty((len(rows_ND), basis_DR.shape[1] + 1), dtype=np.float32)
    short_NR[:, :-1] = projected_NR
    short_NR[:, -1] = np.sqrt(np.maximum(remainder_N, 0.0))
    return short_NR
