"""What every solver of the comparison is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Schedule = str
"""In which order a solver updates: it decides how many iterations a tolerance takes."""
OWN_RULE, TARGET_FIRST, ROWS_FIRST, SYMMETRIC = (
    "own rule",
    "target first",
    "rows first",
    "symmetric",
)


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


Ready = Callable[[], Solved]
Prepared = Callable[[float, int], Ready]
"""Given (tol, iterations), what is left is the timed call."""


def arrays_of(problem: Problem, library: str) -> tuple[Any, Any, Any, Any]:
    """Give x, y and uniform weights: numpy in float64, torch in float32, as each is used."""
    arrays = (
        problem.x_ND,
        problem.y_MD,
        np.full(len(problem.x_ND), 1.0 / len(problem.x_ND)),
        np.full(len(problem.y_MD), 1.0 / len(problem.y_MD)),
    )
    if library == "numpy":
        return arrays
    import torch

    x_ND, y_MD, a_N, b_M = (torch.tensor(array, dtype=torch.float32) for array in arrays)
    return x_ND, y_MD, a_N, b_M


def to_numpy(values: Any) -> np.ndarray:
    """Give float64 of an array of numpy, torch or JAX."""
    return np.asarray(values.detach() if hasattr(values, "detach") else values, dtype=np.float64)
