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


class Densities:
    """Kernel densities among the rows of one reference, whose index is built once.

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
    reference : array or tensor of shape (M, D)
        The pool, or a sample of it.
    neighbours : int
        k, from 1 to M; no density exceeds it.
    bandwidth : float
        h, positive: the distance at which a row no longer counts. ``sqrt(2 - 2 cos)`` makes it of
        a cosine: 0.245 for 0.97.

    Attributes
    ----------
    flops : float
        Spent so far: the products of building the index and of every search.

    Raises
    ------
    ValueError
        Unusable rows, k outside 1..M, or a bandwidth that is not positive and finite.
    """

    def __init__(
        self,
        reference: ArrayLike | torch.Tensor,
        *,
        neighbours: int,
        bandwidth: float,
    ) -> None:
        if not (np.isfinite(bandwidth) and bandwidth > 0):
            raise ValueError(f"bandwidth is {bandwidth}; it is a distance and must be positive")
        reference_MD = unit_rows(reference, "reference", dtype=np.float32)
        # An approximate index measures its recall on rows like those that will be asked for.
        self._index = build_index(reference_MD, reference_MD, neighbours)
        self._width = reference_MD.shape[1]
        self._neighbours, self._bandwidth = neighbours, bandwidth
        self.flops = self._index.facts.flops

    def of(self, rows: ArrayLike | torch.Tensor) -> np.ndarray:
        """Give the density of each of n rows, n may be 0: float64, from 1 to k."""
        rows_ND = as_numpy(rows)
        unit_rows(rows_ND[:0], "rows", width=self._width, may_be_empty=True)
        rho_N = np.empty(len(rows_ND))
        for start in range(0, len(rows_ND), _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            rows_BD = unit_rows(
                rows_ND[block], f"rows[{start}:]" if start else "rows", dtype=np.float32
            )
            cosine_BK, _ = self._index.search(rows_BD, self._neighbours)
            squared_BK = np.maximum(2.0 - 2.0 * cosine_BK.astype(np.float64), 0.0)
            rho_N[block] = np.maximum(1.0 - squared_BK / self._bandwidth**2, 0.0).sum(axis=1)
        self.flops += self._index.search_flops(len(rows_ND))
        return np.maximum(rho_N, 1.0)
