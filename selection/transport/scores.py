"""Score rows, seen in the solve or not: a row needs only the target's potentials."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from selection.transport.pool_pass import PoolPass
from selection.transport.precision import Precision
from selection.transport.solution import Potentials, Side

if TYPE_CHECKING:
    import torch


def score_rows(
    rows: ArrayLike | torch.Tensor,
    target: ArrayLike | torch.Tensor,
    potentials: Potentials,
    *,
    device: str | torch.device | None = None,
    precision: Precision = "float32",
) -> np.ndarray:
    """Minus the calibrated gradient of the OT value with respect to each row's mass.

    Higher is better: giving mass to a row of high score lowers the distance to the target.

    Parameters
    ----------
    rows : array or tensor of shape (n, D), any float dtype; n may be 0
    target : array or tensor of shape (M, D)
        The target of the solve.
    potentials : Potentials
    device : str, torch.device or None
        None is the device of the rows when they are a tensor, else the CPU.
    precision : "float64", "float32", "tf32" or "bfloat16"
        Of the products of rows and target.

    Returns
    -------
    np.ndarray of shape (n,), float64
        In units of the cost; comparable between calls with the same potentials.
    """
    potential_N = row_potentials(rows, target, potentials, device=device, precision=precision)
    return calibrated_scores(potential_N, potentials)


def calibrated_scores(potential_N: np.ndarray, potentials: Potentials) -> np.ndarray:
    """Turn row potentials into scores (LAVA, arXiv 2305.00054, equation 1, negated).

    The gradient along "mass to row i, taken equally from the other N - 1" is
    ``f_i - sum_{k != i} f_k / (N - 1) = N / (N - 1) (f_i - mean f)``; N and the mean are those of
    the solve, for rows inside and outside it alike.
    """
    n = potentials.n
    return -n / (n - 1) * (potential_N - potentials.mean_f)


def row_potentials(
    rows: ArrayLike | torch.Tensor,
    target: ArrayLike | torch.Tensor,
    potentials: Potentials,
    *,
    device: str | torch.device | None = None,
    precision: Precision = "float32",
) -> np.ndarray:
    """Potentials f of any rows given the target's, with O(block x M) memory.

    Only ``g``, ``b`` and ``eps`` of the potentials are read.

    Returns
    -------
    np.ndarray of shape (n,), float64
    """
    one_pass = PoolPass([Side(target, potentials)], device=device, precision=precision)
    return np.concatenate([potential_SB[0] for potential_SB in one_pass.over([rows])])
