"""What is the residual of given potentials? Always by the same float64 arithmetic, whoever solved.

The source marginal is made exact first (one half-step), so a solver is judged by its target
potentials alone, and by all of its potentials only in the overlap of the best rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from transport_problem import Problem, Schedule

REFERENCE_RESIDUAL = 1e-9
MOST_ITERATIONS = 500


class Judge:
    """Holds the float64 kernel of a problem with uniform weights: 8 bytes an entry."""

    def __init__(self, problem: Problem) -> None:
        self._eps = problem.eps
        # Relative to the mean cost; unit rows: |x - y|^2 = 2 - 2 <x, y>.
        self._kernel_NM = problem.x_ND @ problem.y_MD.T
        self._kernel_NM -= 1.0
        self._kernel_NM *= 2.0 / problem.eps
        np.exp(self._kernel_NM, out=self._kernel_NM)
        self._n, self._m = self._kernel_NM.shape
        self._needed: dict[tuple[float, Schedule], int] = {}

    def residual(self, g_M: np.ndarray) -> float:
        """L1 error of the target's marginal once every row's marginal is exact."""
        return float(np.abs(self._step(g_M)[1] - 1.0 / self._m).sum())

    def reference(self) -> np.ndarray:
        """Potentials f of the rows from plain Sinkhorn in float64, run to a residual of 1e-9."""
        for g_M in self._iterates("target first"):
            f_N, mass_M = self._step(g_M)
            if np.abs(mass_M - 1.0 / self._m).sum() <= REFERENCE_RESIDUAL:
                return f_N
        raise RuntimeError(f"no residual of {REFERENCE_RESIDUAL:g} in {MOST_ITERATIONS} iterations")

    def iterations_to(self, tol: float, schedule: Schedule) -> int:
        """Fewest iterations, in exact arithmetic, after which that schedule is within tol."""
        if (tol, schedule) in self._needed:
            return self._needed[tol, schedule]
        for done, g_M in enumerate(self._iterates(schedule), start=1):
            if self.residual(g_M) <= tol:
                self._needed[tol, schedule] = done
                return done
        raise RuntimeError(f"no residual of {tol:g} in {MOST_ITERATIONS} iterations ({schedule})")

    def _iterates(self, schedule: Schedule) -> Iterator[np.ndarray]:
        """Give g after each iteration of a schedule, at most so many."""
        f_N = self._step(np.zeros(self._m))[0] if schedule == "symmetric" else np.zeros(self._n)
        g_M = np.zeros(self._m) if schedule == "rows first" else self._g_of(np.zeros(self._n))
        # GeomLoss starts as if eps were there already, and ends with a half-step for each side.
        for _ in range(MOST_ITERATIONS):
            if schedule == "symmetric":
                f_N, g_M = (f_N + self._step(g_M)[0]) / 2.0, (g_M + self._g_of(f_N)) / 2.0
                yield self._g_of(f_N)
                continue
            if schedule == "target first":
                yield g_M
            g_M = g_M - self._eps * np.log(self._step(g_M)[1] * self._m)
            if schedule == "rows first":
                yield g_M

    def _step(self, g_M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give f that makes the rows' marginal exact at g, and the target's marginal then."""
        # A constant may be moved between f and g; this one keeps the scalings near one.
        middle = float(g_M.mean())
        scaling_M = np.exp((g_M - middle) / self._eps) / self._m
        sum_N = self._kernel_NM @ scaling_M
        mass_M = (1.0 / (self._n * sum_N)) @ self._kernel_NM * scaling_M
        return -self._eps * np.log(sum_N) - middle, mass_M

    def _g_of(self, f_N: np.ndarray) -> np.ndarray:
        """Give g that makes the target's marginal exact at f."""
        return -self._eps * np.log(np.exp(f_N / self._eps) / self._n @ self._kernel_NM)
