"""Least squares for curves that share their ends: estimates, and what the data say of each.

The curve and the axis letters are those of `offset_form`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from selection.curves.least_squares import Fit
from selection.curves.offset_form import Data

# Singular values below this share of the largest are zero but for rounding.
_RANK = 1e-9
_AT_EDGE = 0.01  # in log lambda


@dataclass(frozen=True)
class Solution:
    """Estimates and their covariance.

    Attributes
    ----------
    coefficients_M3 : np.ndarray of shape (n_methods, 3)
        P_0, P_max and log lambda.
    covariance_M33 : np.ndarray of shape (n_methods, 3, 3)
        Of each method's coefficients, as the joint problem has it. A coefficient that the data do
        not determine has infinite variance (and covariances of zero, so that no NaN arises); so
        have all that are free when there are no more points than parameters.
    residual_std : float
        In the scores' unit; NaN without degrees of freedom.
    freedom : float
        Points less parameters.
    """

    coefficients_M3: np.ndarray
    covariance_M33: np.ndarray
    residual_std: float
    freedom: float


def solve(data: Data, *, p0: float | None, p_max: float | None) -> Solution:
    """Fit all curves together.

    Parameters
    ----------
    data : Data
        Checked by the caller: finite, and weighing no less than there are parameters.
    p0, p_max : float or None
        Given, or None to be fitted. ``p_max`` exceeds ``p0`` where both are given.
    """
    # In units of the scores' own spread, which makes tolerances mean the same for all.
    centre, spread = _scale(data, p0, p_max)
    scaled = replace(data, score_N=(data.score_N - centre) / spread)
    fit = Fit(
        scaled,
        None if p0 is None else (p0 - centre) / spread,
        None if p_max is None else (p_max - centre) / spread,
    )
    parameters_K = fit.minimise()
    coefficients_M3 = fit.coefficients(parameters_K)
    covariance_M33, residual_std, freedom = _covariance(fit, parameters_K)
    unit_3 = np.array([spread, spread, 1.0])
    coefficients_M3 = coefficients_M3 * unit_3 + np.array([centre, centre, 0.0])
    # Given values come back exactly as they were given.
    for column, given in ((0, p0), (1, p_max)):
        if given is not None:
            coefficients_M3[:, column] = given
    return Solution(
        coefficients_M3,
        covariance_M33 * unit_3[:, None] * unit_3[None, :],
        residual_std * spread,
        freedom,
    )


def _scale(data: Data, p0: float | None, p_max: float | None) -> tuple[float, float]:
    if p0 is not None:
        reach = float(np.abs(data.score_N - p0).max()) if p_max is None else p_max - p0
        return p0, reach or 1.0
    spread = float(data.score_N.std())
    if p_max is not None:
        return p_max, float(np.abs(data.score_N - p_max).max()) or 1.0
    return float(data.score_N.mean()), spread or 1.0


def _covariance(fit: Fit, parameters_K: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Covariance (M, 3, 3), residual standard deviation and degrees of freedom."""
    residuals_N, jacobian_NK = fit.residuals(parameters_K), fit.jacobian(parameters_K)
    freedom = float(fit.data.weight_N.sum()) - fit.n_parameters
    # The tolerance is for sums of weights such as five fifths.
    known = freedom > 1e-9
    variance = float((residuals_N**2).sum()) / freedom if known else np.nan
    size_K = np.linalg.norm(jacobian_NK, axis=0)
    # An end far outside the scores moves them little per unit, and is no less determined.
    effect_K = size_K.copy()
    effect_K[: fit.first_rate] *= np.maximum(1.0, np.abs(parameters_K[: fit.first_rate]))
    size_K = np.where(effect_K > _RANK * max(1.0, effect_K.max()), size_K, np.inf)
    _, sigma, turned_KK = np.linalg.svd(jacobian_NK / size_K, full_matrices=True)
    sigma_K = np.zeros(fit.n_parameters)
    sigma_K[: len(sigma)] = sigma
    blind_K = sigma_K <= _RANK * max(sigma_K.max(), _RANK)
    inverse_K = np.where(blind_K, 0.0, 1.0 / np.where(blind_K, 1.0, sigma_K))
    half_KK = turned_KK.T * inverse_K / np.where(np.isinf(size_K), 1.0, size_K)[:, None]
    unknown_K = (np.abs(turned_KK[blind_K]) > 1e-6).any(axis=0) | np.isinf(size_K)
    unknown_K |= not known

    rates_M = parameters_K[fit.first_rate :]
    straight_M = rates_M < fit.low_rate + _AT_EDGE
    unknown_K[fit.first_rate :] |= straight_M | (rates_M > fit.high_rate - _AT_EDGE)
    unknown_K[fit.rise : fit.first_rate] |= bool(straight_M.all())

    covariance_KK = np.zeros((0, 0)) if not known else variance * half_KK @ half_KK.T
    covariance_M33 = np.zeros((fit.data.n_methods, 3, 3))
    for m, linear_3K in enumerate(fit.linear_M3K):
        if known:
            covariance_M33[m] = linear_3K @ covariance_KK @ linear_3K.T
        for c in np.flatnonzero((linear_3K[:, unknown_K] != 0).any(axis=1)):
            covariance_M33[m, c, :] = covariance_M33[m, :, c] = 0.0
            covariance_M33[m, c, c] = np.inf
    return covariance_M33, float(np.sqrt(variance)), max(freedom, 0.0)
