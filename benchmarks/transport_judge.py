"""What is the residual of given potentials? Always by the same float64 arithmetic, whoever solved.

The source marginal is made exact first (one half-step), so a solver is judged by its target
potentials alone, and by all of its potentials only in the overlap of the best rows.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from transport_problem import ROWS_FIRST, SYMMETRIC, TARGET_FIRST, Problem, Schedule

BLOCK = 2048
REFERENCE_RESIDUAL = 1e-9
MOST_ITERATIONS = 500


class Judge:
    """Holds or evaluates the float64 kernel of a problem with uniform weights.

    Parameters
    ----------
    problem : Problem
    hold : bool
        Keep the kernel (8 bytes an entry), for more than a few calls.
    """

    def __init__(self, problem: Problem, *, hold: bool) -> None:
        self._problem = problem
        self._n, self._m = len(problem.x_ND), len(problem.y_MD)
        self._needed: dict[tuple[float, Schedule], int] = {}
        self._held: list[np.ndarray] | None = None
        self._held = [kernel_BM for _, kernel_BM in self._blocks()] if hold else None

    def residual(self, g_M: np.ndarray) -> float:
        """L1 error of the target's marginal once every row's marginal is exact."""
        return float(np.abs(self._step(g_M)[1] - 1.0 / self._m).sum())

    def reference(self) -> np.ndarray:
        """Potentials f of the rows from plain Sinkhorn in float64, run to a residual of 1e-9."""
        for g_M in self._iterates(TARGET_FIRST):
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
        eps = self._problem.eps
        f_N = self._f_of(np.zeros(self._m)) if schedule == SYMMETRIC else np.zeros(self._n)
        g_M = np.zeros(self._m) if schedule == ROWS_FIRST else self._g_of(np.zeros(self._n))
        # GeomLoss starts as if eps were there already, and ends with a half-step for each side.
        for _ in range(MOST_ITERATIONS):
            if schedule == SYMMETRIC:
                f_N, g_M = (f_N + self._f_of(g_M)) / 2.0, (g_M + self._g_of(f_N)) / 2.0
                yield self._g_of(f_N)
            elif schedule == TARGET_FIRST:
                yield g_M
                g_M = g_M - eps * np.log(self._step(g_M)[1] * self._m)
            else:
                g_M = g_M - eps * np.log(self._step(g_M)[1] * self._m)
                yield g_M

    def _step(self, g_M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give f that makes the rows' marginal exact at g, and the target's marginal then."""
        eps = self._problem.eps
        # A constant may be moved between f and g; this one keeps the scalings near one.
        middle = float(g_M.mean())
        scaling_M = np.exp((g_M - middle) / eps) / self._m
        f_N, mass_M = np.empty(self._n), np.zeros(self._m)
        for block, kernel_BM in self._blocks():
            sum_B = kernel_BM @ scaling_M
            f_N[block] = -eps * np.log(sum_B) - middle
            mass_M += (1.0 / (self._n * sum_B)) @ kernel_BM
        return f_N, mass_M * scaling_M

    def _f_of(self, g_M: np.ndarray) -> np.ndarray:
        return self._step(g_M)[0]

    def _g_of(self, f_N: np.ndarray) -> np.ndarray:
        """Give g that makes the target's marginal exact at f."""
        eps = self._problem.eps
        scaling_N = np.exp(f_N / eps) / self._n
        sum_M = np.zeros(self._m)
        for block, kernel_BM in self._blocks():
            sum_M += scaling_N[block] @ kernel_BM
        return -eps * np.log(sum_M)

    def _blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Give the kernel ``exp(-|x - y|^2 / eps)``, relative to the mean cost, block by block."""
        x_ND, y_MD, eps = self._problem.x_ND, self._problem.y_MD, self._problem.eps
        for number, start in enumerate(range(0, self._n, BLOCK)):
            block = slice(start, min(self._n, start + BLOCK))
            if self._held is None:
                # Unit rows: |x - y|^2 = 2 - 2 <x, y>.
                yield block, np.exp((2.0 * (x_ND[block] @ y_MD.T) - 2.0) / eps)
            else:
                yield block, self._held[number]
