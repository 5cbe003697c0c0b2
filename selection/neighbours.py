"""Who is near whom by cosine: nearest target rows, and near-duplicates of rows already kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from selection.transport.points import unit_rows

if TYPE_CHECKING:
    import torch

# Queries of one search: bounds the float32 copies, not the result.
_BLOCK_ROWS = 8192
# Cosines of equal rows computed in float32 fall short of 1 by about this much.
_COSINE_SLACK = 1e-6
# Hides the rounding that depends on the batch; float16 embeddings are coarser still.
_COSINE_DECIMALS = 7


def nearest_targets(
    rows: ArrayLike | torch.Tensor, target: ArrayLike | torch.Tensor, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Give the k target rows with the largest cosine to each row (faiss, exact search).

    Parameters
    ----------
    rows : array or tensor of shape (n, D), any float dtype; n may be 0
    target : array or tensor of shape (M, D)
    k : int
        From 1 to M.

    Returns
    -------
    indices : np.ndarray of shape (n, k), int64
        By falling cosine, equal cosines by rising index.
    cosines : np.ndarray of shape (n, k), float64
        Evaluated pair by pair in float64, so that they do not depend on the batch.

    Raises
    ------
    ValueError
        Unusable rows, or k outside 1..M.
    """
    import faiss

    target_MD = unit_rows(target, "target")
    m, width = target_MD.shape
    if not 1 <= k <= m:
        raise ValueError(f"k is {k}; with a target of {m} rows it must be from 1 to {m}")
    rows_ND = unit_rows(rows, "rows", width=width, may_be_empty=True)
    index = faiss.IndexFlatIP(width)
    index.add(target_MD.astype(np.float32))  # pyright: ignore[reportCallIssue]
    indices_NK = np.empty((len(rows_ND), k), dtype=np.int64)
    cosines_NK = np.empty((len(rows_ND), k))
    for start in range(0, len(rows_ND), _BLOCK_ROWS):
        block_BD = rows_ND[start : start + _BLOCK_ROWS]
        _, found_BK = index.search(block_BD.astype(np.float32), k)  # pyright: ignore[reportCallIssue]
        exact_BK = np.stack(
            [np.einsum("bd,bd->b", block_BD, target_MD[found_BK[:, j]]) for j in range(k)], axis=1
        ).round(_COSINE_DECIMALS)
        order_BK = np.lexsort((found_BK, -exact_BK), axis=1)
        indices_NK[start : start + _BLOCK_ROWS] = np.take_along_axis(found_BK, order_BK, axis=1)
        cosines_NK[start : start + _BLOCK_ROWS] = np.take_along_axis(exact_BK, order_BK, axis=1)
    return indices_NK, cosines_NK


def nearest_receipts(
    rows: ArrayLike | torch.Tensor, target: ArrayLike | torch.Tensor, target_row_id: np.ndarray
) -> dict[str, np.ndarray]:
    """Give each row's nearest target row as receipt columns of shape (n,).

    Returns
    -------
    dict
        ``nearest_target`` (row id, str) and ``nearest_cosine`` (float64).
    """
    indices_N1, cosines_N1 = nearest_targets(rows, target, 1)
    return {
        "nearest_target": np.asarray(target_row_id, dtype=str)[indices_N1[:, 0]],
        "nearest_cosine": cosines_N1[:, 0],
    }


class NearDuplicates:
    """Keeps the first of every group of rows nearer than a cosine threshold.

    Rows are judged in the order given, each against the rows kept before it (a greedy cover: a
    row near a *dropped* row is not dropped for that). faiss searches the kept rows, a chunk of
    candidates at a time.

    Parameters
    ----------
    width : int
    threshold : float
        Cosine in (0, 1]; a row at or above it to a kept row repeats that row.
    """

    def __init__(self, width: int, threshold: float) -> None:
        import faiss

        if not 0.0 < threshold <= 1.0:
            raise ValueError(f"the near-duplicate cosine is {threshold}; it must be in (0, 1]")
        self._threshold = np.float32(threshold - _COSINE_SLACK)
        self._width = width
        self._kept = faiss.IndexFlatIP(width)

    def judge(self, rows: ArrayLike | torch.Tensor) -> np.ndarray:
        """Judge the next chunk, and keep its rows that repeat nothing.

        Parameters
        ----------
        rows : array or tensor of shape (C, D)
            A square of C x C cosines is held; give at most a few thousand rows.

        Returns
        -------
        np.ndarray of shape (C,), int64
            -1 for a row that is kept; else the number, counting kept rows from 0 in order, of the
            nearest kept row.
        """
        rows_CD = unit_rows(rows, "near-duplicate candidates", width=self._width).astype(np.float32)
        n_before = self._kept.ntotal
        best_C = np.full(len(rows_CD), -np.inf, dtype=np.float32)
        nearest_C = np.full(len(rows_CD), -1, dtype=np.int64)
        if n_before:
            cosine_C1, found_C1 = self._kept.search(rows_CD, 1)  # pyright: ignore[reportCallIssue]
            best_C, nearest_C = cosine_C1[:, 0], found_C1[:, 0]
        within_CC = rows_CD @ rows_CD.T
        kept: list[int] = []
        for i in range(len(rows_CD)):
            if best_C[i] >= self._threshold:
                continue
            nearest_C[i] = -1
            # Later rows may be nearer to this one than to any kept before.
            nearer_C = within_CC[i, i + 1 :] > best_C[i + 1 :]
            best_C[i + 1 :][nearer_C] = within_CC[i, i + 1 :][nearer_C]
            nearest_C[i + 1 :][nearer_C] = n_before + len(kept)
            kept.append(i)
        self._kept.add(rows_CD[kept])  # pyright: ignore[reportCallIssue]
        return nearest_C
