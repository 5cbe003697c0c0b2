"""Which parameters bring curves that share their ends nearest to the points?"""

from __future__ import annotations

import numpy as np

from selection.curves.offset_form import Data, curve, slopes

# Less of a curve than this and it is a straight line, of which only the slope P_max * lambda can
# be known; more and it has levelled off before its first point.
_STRAIGHT, _LEVEL = 1e-3, 40.0
_GRID = 60


class Fit:
    """One least-squares problem in scaled scores.

    The parameters are P_0 if free, the rise P_max - P_0 if P_max is free (so that the bound 0
    keeps curves from falling), and the log rates. Coefficients are linear in them.
    """

    def __init__(self, data: Data, p0: float | None, p_max: float | None) -> None:
        """Lay out the parameters."""
        self.data, self.p0, self.p_max = data, p0, p_max
        n = data.n_methods
        self.rise = int(p0 is None)
        self.first_rate = self.rise + int(p_max is None)
        self.n_parameters = self.first_rate + n
        self.root_N = np.sqrt(data.weight_N)
        self.linear_M3K = np.zeros((n, 3, self.n_parameters))
        self.constant_3 = np.array([p0 or 0.0, p_max if p_max is not None else p0 or 0.0, 0.0])
        self.linear_M3K[:, 0, : self.rise] = 1.0
        if p_max is None:
            self.linear_M3K[:, 1, : self.first_rate] = 1.0
        self.linear_M3K[:, 2, self.first_rate :] = np.eye(n)
        positive_N = data.share_N[data.share_N > 0]
        self.low_rate = float(np.log(_STRAIGHT / positive_N.max()))
        self.high_rate = float(np.log(_LEVEL / positive_N.min()))

    def coefficients(self, parameters_K: np.ndarray) -> np.ndarray:
        """P_0, P_max and log lambda of each method, (M, 3)."""
        return self.linear_M3K @ parameters_K + self.constant_3

    def residuals(self, parameters_K: np.ndarray) -> np.ndarray:
        """Fitted less measured scores (N,), each times the root of its weight."""
        data, found_M3 = self.data, self.coefficients(parameters_K)
        fitted_N = curve(found_M3[data.method_N].T, data.share_N)
        return self.root_N * (fitted_N - data.score_N)

    def jacobian(self, parameters_K: np.ndarray) -> np.ndarray:
        """Derivatives (N, K) of the residuals."""
        data, found_M3 = self.data, self.coefficients(parameters_K)
        slopes_N3 = slopes(found_M3[data.method_N].T, data.share_N)
        jacobian_NK = np.einsum("nc,nck->nk", slopes_N3, self.linear_M3K[data.method_N])
        return self.root_N[:, None] * jacobian_NK

    def minimise(self) -> np.ndarray:
        """Best of several descents."""
        from scipy.optimize import least_squares

        low_K, high_K = np.full(self.n_parameters, -np.inf), np.full(self.n_parameters, np.inf)
        low_K[self.rise : self.first_rate] = 0.0
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
            start_K[: self.rise] = p0
            start_K[self.rise : self.first_rate] = p_max - p0
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
