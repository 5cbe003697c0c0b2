"""What every solver of the comparison is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pools import mapped, read_target, unit

EPS_REL = 0.05
"""Of every solve of the comparison, as a share of the mean cost."""
Schedule = Literal["own rule", "target first", "rows first", "symmetric"]
"""In which order a solver updates: it decides how many iterations a tolerance takes."""


@dataclass(frozen=True)
class Problem:
    """Unit rows in float64, and eps."""

    x_ND: np.ndarray
    y_MD: np.ndarray
    eps: float


@dataclass(frozen=True)
class Solved:
    """Potentials, and for solvers with a stopping rule of their own what they did."""

    f_N: np.ndarray
    g_M: np.ndarray
    iterations: int
    precision: str = ""


Prepared = Callable[[float, int], Callable[[], Solved]]
"""Given (tol, iterations), what is left is the timed call."""


def load_problem(folder: Path, rows: int, eps: float) -> Problem:
    """Read the first rows of a pool and its target as unit rows."""
    x_ND, y_MD = (unit(r.astype(np.float64)) for r in (mapped(folder, rows), read_target(folder)))
    return Problem(x_ND, y_MD, eps)


def counted(
    solve: Callable[[int], tuple[Any, Any]],
    scale: float,
    *,
    least: int = 1,
    untimed: Callable[[int], object] = lambda iterations: None,
) -> Prepared:
    """Prepare a solver that takes a number of iterations, at least so many, and gives potentials.

    Times the scale they are in units of the cost. ``untimed`` is called before the clock starts.
    """

    def ready(_: float, iterations: int) -> Callable[[], Solved]:
        iterations = max(least, iterations)
        untimed(iterations)

        def call() -> Solved:
            f_N, g_M = (scale * to_numpy(potential).ravel() for potential in solve(iterations))
            return Solved(f_N, g_M, iterations)

        return call

    return ready


def arrays_of(problem: Problem, library: str) -> list[Any]:
    """Give x, y and uniform weights: numpy in float64, torch in float32, as each is used."""
    sides = (problem.x_ND, problem.y_MD)
    arrays = [*sides, *(np.full(len(rows), 1.0 / len(rows)) for rows in sides)]
    if library == "numpy":
        return arrays
    import torch

    return [torch.tensor(array, dtype=torch.float32) for array in arrays]


def to_numpy(values: Any) -> np.ndarray:
    """Give float64 of an array of numpy, torch or JAX."""
    return np.asarray(values.detach() if hasattr(values, "detach") else values, dtype=np.float64)
