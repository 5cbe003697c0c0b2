"""Least squares for curves that share their ends: estimates, and what the data say of each.

The curve is the offset form of CCDS (arXiv 2410.16208), in which x is the share of the pool's
training cost, selection not counted::

    P(x) = (P_max - P_0) (1 - exp(-lambda x)) + P_0

Axis letters: N points, M methods, K free parameters. Every method has three coefficients, (P_0,
P_max, log lambda), each a free parameter, shared or its own, or a given number. The logarithm keeps
lambda and both ends of its interval positive.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Less of a curve than this and it is a straight line, of which only the slope P_max * lambda can
# be known; more and it has levelled off before its first point.
_STRAIGHT, _LEVEL = 1e-3, 40.0
_GRID = 60
# Singular values below this share of the largest are zero but for rounding.
_RANK = 1e-9
_AT_EDGE = 0.01  # in log lambda


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


def parameter_count(n_methods: int, *, free_p0: bool, free_p_max: int) -> int:
    """K: a rate a method, P_0 if it is free, and `free_p_max` values of P_max."""
    return n_methods + free_p0 + free_p_max


def solve(
    data: Data, *, p0: float | None, p_max: float | None, shared_p_max: bool = True
) -> Solution:
    """Fit all curves together.

    Parameters
    ----------
    data : Data
        Checked by the caller: finite, and weighing no less than there are parameters.
    p0, p_max : float or None
        Given, or None to be fitted. ``p_max`` exceeds ``p0`` where both are given.
    shared_p_max : bool
        One fitted P_max for all methods, or one a method.

    Returns
    -------
    Solution
    """
    # In units of the scores' own spread, which makes tolerances mean the same for all.
    centre, spread = _scale(data, p0, p_max)
    scaled = Data(
        data.share_N,
        (data.score_N - centre) / spread,
        data.method_N,
        data.weight_N,
        data.n_methods,
    )
    fit = _Fit(
        scaled,
        None if p0 is None else (p0 - centre) / spread,
        None if p_max is None else (p_max - centre) / spread,
        shared_p_max,
    )
    parameters_K = fit.minimise()
    coefficients_M3 = fit.coefficients(parameters_K)
    covariance_M33, residual_std, freedom = fit.covariance(parameters_K)
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


class _Fit:
    """One least-squares problem in scaled scores.

    The parameters are P_0 if free, the rises P_max - P_0 if P_max is free (so that the bound 0
    keeps curves from falling), and the log rates. Coefficients are linear in them.
    """

    def __init__(
        self, data: Data, p0: float | None, p_max: float | None, shared_p_max: bool
    ) -> None:
        self.data, self.p0, self.p_max = data, p0, p_max
        n = data.n_methods
        self.n_rises = 0 if p_max is not None else 1 if shared_p_max else n
        self.first_rise = int(p0 is None)
        self.first_rate = self.first_rise + self.n_rises
        self.n_parameters = parameter_count(n, free_p0=p0 is None, free_p_max=self.n_rises)
        self.root_N = np.sqrt(data.weight_N)
        self.linear_M3K = np.zeros((n, 3, self.n_parameters))
        self.constant_3 = np.array([p0 or 0.0, p_max if p_max is not None else p0 or 0.0, 0.0])
        for m in range(n):
            if p0 is None:
                self.linear_M3K[m, 0, 0] = 1.0
            if p_max is None:
                self.linear_M3K[m, 1, : self.first_rise] = 1.0
                self.linear_M3K[m, 1, self._rise_of(m)] = 1.0
            self.linear_M3K[m, 2, self.first_rate + m] = 1.0
        positive_N = data.share_N[data.share_N > 0]
        self.low_rate = float(np.log(_STRAIGHT / positive_N.max()))
        self.high_rate = float(np.log(_LEVEL / positive_N.min()))

    def _rise_of(self, method: int) -> int:
        return self.first_rise + (method if self.n_rises > 1 else 0)

    def coefficients(self, parameters_K: np.ndarray) -> np.ndarray:
        return self.linear_M3K @ parameters_K + self.constant_3

    def residuals(self, parameters_K: np.ndarray) -> np.ndarray:
        data, found_M3 = self.data, self.coefficients(parameters_K)
        fitted_N = curve(found_M3[data.method_N].T, data.share_N)
        return self.root_N * (fitted_N - data.score_N)

    def jacobian(self, parameters_K: np.ndarray) -> np.ndarray:
        data, found_M3 = self.data, self.coefficients(parameters_K)
        slopes_N3 = slopes(found_M3[data.method_N].T, data.share_N)
        jacobian_NK = np.einsum("nc,nck->nk", slopes_N3, self.linear_M3K[data.method_N])
        return self.root_N[:, None] * jacobian_NK

    def minimise(self) -> np.ndarray:
        """Best of several descents."""
        from scipy.optimize import least_squares

        low_K, high_K = np.full(self.n_parameters, -np.inf), np.full(self.n_parameters, np.inf)
        low_K[self.first_rise : self.first_rate] = 0.0
        low_K[self.first_rate :], high_K[self.first_rate :] = self.low_rate, self.high_rate
        if self.p0 is None and self.p_max is not None:
            high_K[0] = self.p_max
        found = [
            least_squares(
                self.residuals,
                np.clip(start_K, low_K + 1e-6, high_K - 1e-6),
                jac=self.jacobian,  # type: ignore[arg-type]  # scipy's stubs admit no function
                bounds=(low_K, high_K),
                x_scale="jac",
                ftol=1e-14,
                xtol=1e-14,
                gtol=1e-14,
                max_nfev=400,
            )
            for start_K in self._starts()
        ]
        return min(found, key=lambda result: result.cost).x

    def _starts(self) -> list[np.ndarray]:
        """Where to descend from.

        For a rate that all methods have in common P_0 and P_max are a linear problem. It is solved
        for a grid of rates; from some of the best, each method then takes the rate of the grid
        that suits it.
        """
        data = self.data
        grid_G = np.linspace(self.low_rate + 0.1, self.high_rate - 0.1, _GRID)
        left_GN = np.exp(-np.exp(grid_G)[:, None] * data.share_N)
        ends_G2 = np.array([self._ends(left_N) for left_N in left_GN])
        misfit_G = np.array(
            [
                float((data.weight_N * (p_max + (p0 - p_max) * left_N - data.score_N) ** 2).sum())
                for left_N, (p0, p_max) in zip(left_GN, ends_G2, strict=True)
            ]
        )
        best = int(misfit_G.argmin())
        starts = []
        for g in sorted({max(0, best - 8), best, min(_GRID - 1, best + 8)}):
            p0, p_max = ends_G2[g]
            misfit_GN = data.weight_N * (p_max + (p0 - p_max) * left_GN - data.score_N) ** 2
            misfit_GM = np.stack(
                [misfit_GN[:, data.method_N == m].sum(axis=1) for m in range(data.n_methods)], 1
            )
            start_K = np.empty(self.n_parameters)
            start_K[: self.first_rise] = p0
            start_K[self.first_rise : self.first_rate] = p_max - p0
            start_K[self.first_rate :] = grid_G[misfit_GM.argmin(axis=0)]
            starts.append(start_K)
        return starts

    def _ends(self, left_N: np.ndarray) -> tuple[float, float]:
        """P_0 and P_max that suit a common rate, P_max the higher by at least a little."""
        columns_N2 = self.root_N[:, None] * np.stack([left_N, 1.0 - left_N], axis=1)
        aim_N = self.root_N * self.data.score_N
        free = [c for c, given in enumerate((self.p0, self.p_max)) if given is None]
        ends = [self.p0, self.p_max]
        for column, given in enumerate(ends):
            if given is not None:
                aim_N = aim_N - given * columns_N2[:, column]
        if free:
            found = np.linalg.lstsq(columns_N2[:, free], aim_N, rcond=None)[0]
            for column, value in zip(free, found, strict=True):
                ends[column] = float(value)
        p0, p_max = ends
        assert p0 is not None and p_max is not None, "given or found above"
        if p_max - p0 < 1e-3:
            return (p0, p0 + 1e-3) if self.p_max is None else (p_max - 1e-3, p_max)
        return p0, p_max

    def covariance(self, parameters_K: np.ndarray) -> tuple[np.ndarray, float, float]:
        """Covariance (M, 3, 3), residual standard deviation and degrees of freedom."""
        residuals_N, jacobian_NK = self.residuals(parameters_K), self.jacobian(parameters_K)
        freedom = float(self.data.weight_N.sum()) - self.n_parameters
        # The tolerance is for sums of weights such as five fifths.
        known = freedom > 1e-9
        variance = float((residuals_N**2).sum()) / freedom if known else np.nan
        size_K = np.linalg.norm(jacobian_NK, axis=0)
        # An end far outside the scores moves them little per unit, and is no less determined.
        effect_K = size_K.copy()
        effect_K[: self.first_rate] *= np.maximum(1.0, np.abs(parameters_K[: self.first_rate]))
        size_K = np.where(effect_K > _RANK * max(1.0, effect_K.max()), size_K, np.inf)
        _, sigma, turned_KK = np.linalg.svd(jacobian_NK / size_K, full_matrices=True)
        sigma_K = np.zeros(self.n_parameters)
        sigma_K[: len(sigma)] = sigma
        blind_K = sigma_K <= _RANK * max(sigma_K.max(), _RANK)
        inverse_K = np.where(blind_K, 0.0, 1.0 / np.where(blind_K, 1.0, sigma_K))
        half_KK = turned_KK.T * inverse_K / np.where(np.isinf(size_K), 1.0, size_K)[:, None]
        unknown_K = (np.abs(turned_KK[blind_K]) > 1e-6).any(axis=0) | np.isinf(size_K)
        unknown_K |= not known

        rates_M = parameters_K[self.first_rate :]
        straight_M = rates_M < self.low_rate + _AT_EDGE
        unknown_K[self.first_rate :] |= straight_M | (rates_M > self.high_rate - _AT_EDGE)
        for rise in range(self.n_rises):
            users = [m for m in range(len(rates_M)) if self._rise_of(m) == self.first_rise + rise]
            unknown_K[self.first_rise + rise] |= bool(straight_M[users].all())

        covariance_KK = np.zeros((0, 0)) if not known else variance * half_KK @ half_KK.T
        covariance_M33 = np.zeros((self.data.n_methods, 3, 3))
        for m, linear_3K in enumerate(self.linear_M3K):
            if known:
                covariance_M33[m] = linear_3K @ covariance_KK @ linear_3K.T
            for c in np.flatnonzero((linear_3K[:, unknown_K] != 0).any(axis=1)):
                covariance_M33[m, c, :] = covariance_M33[m, :, c] = 0.0
                covariance_M33[m, c, c] = np.inf
        return covariance_M33, float(np.sqrt(variance)), max(freedom, 0.0)
