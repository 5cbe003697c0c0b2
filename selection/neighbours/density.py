"""How crowded the place of each row is, by a kernel over its nearest neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from selection.neighbours.index import build_index
from selection.transport.points import as_numpy, unit_rows

if TYPE_CHECKING:
    import torch

# Rows searched at a time: memory is this times the neighbours, not the rows.
_BLOCK_ROWS = 4096


def density(
    rows: ArrayLike | torch.Tensor,
    reference: ArrayLike | torch.Tensor,
    *,
    neighbours: int,
    bandwidth: float,
    seed: int = 0,
) -> np.ndarray:
    """Estimate the kernel density of each row among its nearest reference rows.

    ``rho_i = sum over the k nearest y of max(0, 1 - ||x_i - y||^2 / h^2)``, an Epanechnikov kernel
    without its constant, so that a row far from all others has 1, its own term, and c copies of a
    row have c each. Divided by it, the copies together weigh what a single row does.

    Source: TSDS (arXiv 2410.11303), the KNN-KDE regulariser, as in the authors' `tsds.py`: kernel,
    truncation to k neighbours, the row itself counted. Chosen here, where that is silent or
    differs: distances are between unit rows, in [0, 2], so that the bandwidth has one meaning for
    all embeddings; the reference may be a sample of the pool, and a row outside it is counted
    as its own neighbour when the sum is below 1, so that weights 1 / rho stay at most 1. Densities
    are then those of the sample: it discounts copies that it holds more than one of.

    Parameters
    ----------
    rows : array or tensor of shape (n, D), any float dtype; n may be 0
    reference : array or tensor of shape (M, D)
        The pool, or a sample of it.
    neighbours : int
        k, from 1 to M; no density exceeds it.
    bandwidth : float
        h, positive: the distance at which a row no longer counts. ``sqrt(2 - 2 cos)`` makes it of
        a cosine: 0.245 for 0.97.
    seed : int
        Of an approximate search; see `selection.neighbours.index` for when there is one.

    Returns
    -------
    np.ndarray of shape (n,), float64
        From 1 to k.

    Raises
    ------
    ValueError
        Unusable rows, k outside 1..M, or a bandwidth that is not positive and finite.
    """
    if not (np.isfinite(bandwidth) and bandwidth > 0):
        raise ValueError(f"bandwidth is {bandwidth}; it is a distance and must be positive")
    reference_MD = unit_rows(reference, "reference", dtype=np.float32)
    width = reference_MD.shape[1]
    rows_ND = as_numpy(rows)
    unit_rows(rows_ND[:0], "rows", width=width, may_be_empty=True)  # the shape, before the search
    index = build_index(reference_MD, rows_ND, neighbours, seed=seed)
    rho_N = np.empty(len(rows_ND))
    for start in range(0, len(rows_ND), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        rows_BD = unit_rows(
            rows_ND[block], f"rows[{start}:]" if start else "rows", dtype=np.float32
        )
        cosine_BK, _ = index.search(rows_BD, neighbours)
        squared_BK = np.maximum(2.0 - 2.0 * cosine_BK.astype(np.float64), 0.0)
        rho_N[block] = np.maximum(1.0 - squared_BK / bandwidth**2, 0.0).sum(axis=1)
    return np.maximum(rho_N, 1.0)
