"""Score rows, seen in the solve or not: a row needs only the target's potentials."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from selection.transport.pool_pass import PoolFit, PoolPass, Side
from selection.transport.precision import Precision

if TYPE_CHECKING:
    import torch

    from selection.transport.potentials import Potentials


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


def score_stream(
    blocks: Iterable[ArrayLike | torch.Tensor],
    target: ArrayLike | torch.Tensor,
    potentials: Potentials,
    *,
    contrast: Side | None = None,
    contrast_weight: float = 1.0,
    device: str | torch.device | None = None,
    precision: Precision = "float32",
    finished: Path | None = None,
    progress: bool = False,
    n_rows: int | None = None,
) -> Iterator[np.ndarray]:
    """Score block after block with O(block x M) memory, whatever the size of the pool.

    Parameters
    ----------
    blocks : iterable of arrays or tensors of shape (B, D)
        Such as slices of a memory map; see `pool_pass.PoolPass.over` for the residual that the
        same pass can give.
    contrast : Side or None
        A target to stay away from, with its own solve on the same pool (as GOT-D, arXiv
        2405.02774, does for detoxification): its scores are taken away, ``contrast_weight`` times.
    finished : Path or None
        Folder of blocks finished before, by content: they are read instead of computed.
    progress, n_rows
        Show a progress bar, over n_rows when that is known.

    Yields
    ------
    np.ndarray of shape (B,), float64
    """
    sides = [Side(target, potentials), *([contrast] if contrast else [])]
    one_pass = PoolPass(sides, device=device, precision=precision, finished=finished)
    for potential_SB in one_pass.over(blocks, progress=progress, n_rows=n_rows):
        scores = calibrated_scores(potential_SB[0], potentials)
        if contrast is not None:
            scores -= contrast_weight * calibrated_scores(potential_SB[1], contrast.potentials)
        yield scores


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


def measure_pool(
    blocks: Iterable[ArrayLike | torch.Tensor],
    target: ArrayLike | torch.Tensor,
    potentials: Potentials,
    *,
    device: str | torch.device | None = None,
    precision: Precision = "float32",
) -> PoolFit:
    """Measure the marginal residual over a whole pool in one pass.

    A solve on a sample is only as good for the pool as the sample is; this is the certificate.

    Raises
    ------
    ValueError
        The pool has no rows.
    """
    one_pass = PoolPass([Side(target, potentials)], device=device, precision=precision)
    for _ in one_pass.over(blocks):
        pass
    return one_pass.fits()[0]
