"""What a solve gives, and all that scoring rows with it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike

from selection.transport.precision import Precision

if TYPE_CHECKING:
    import torch

Path = Literal["cached", "streamed"]


@dataclass(frozen=True)
class Potentials:
    """Dual potentials of a solve, how well it converged, and what it took.

    The pair is fixed up to a constant that moves from f to g; here ``sum_j b_j g_j = 0``.

    Attributes
    ----------
    f : np.ndarray of shape (N,), float64
        Of the candidates: the out-of-sample formula applied to g, as accurate as ``precision``.
    g : np.ndarray of shape (M,), float64
        Of the target; all that scoring another row needs.
    b : np.ndarray of shape (M,), float64
        Weights of the target, summing to one.
    n : int
        Candidates.
    mean_f : float
        Mean of their potentials, to which scores are relative.
    eps : float
        Regularisation in units of the cost (squared distance of unit vectors).
    residual : float
        L1 error of the target's marginal of the plan of (f, g), plus ``precision_error``; the
        candidates' marginal is exact.
    converged : bool
        ``residual <= tol``.
    history : tuple of float
        Residual of each pass, those of annealing and of the coarse start included.
    mass : np.ndarray of shape (M,), float64
        What each target row receives; ``residual`` is its distance from b.
    path : "cached" or "streamed"
        Whether the kernel was held or evaluated anew in each pass.
    precision : "float64", "float32", "tf32" or "bfloat16"
        Of the products of rows and target.
    precision_error : float
        L1 error that this precision adds to the marginal, measured against float32 on a sample of
        the rows; 0 for float32 and float64.
    peak_bytes : int
        Most bytes held at once, the caller's own rows apart: counted on a CPU, measured on CUDA.
    flops : float
        Operations on entries of the kernel, an exponential counted as one.
    """

    f: np.ndarray
    g: np.ndarray
    b: np.ndarray
    n: int
    mean_f: float
    eps: float
    residual: float
    converged: bool
    history: tuple[float, ...]
    mass: np.ndarray
    path: Path
    precision: Precision
    precision_error: float
    peak_bytes: int
    flops: float

    @property
    def iterations(self) -> int:
        """Passes over rows and target, those of annealing and of the coarse start included."""
        return len(self.history)


@dataclass(frozen=True)
class Side:
    """A target (array or tensor of shape (M, D)) and potentials solved for it."""

    target: ArrayLike | torch.Tensor
    potentials: Potentials
