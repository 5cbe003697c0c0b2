"""The target rows nearest to each row, and the receipts that name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from selection.neighbours.index import build_index
from selection.transport.points import as_numpy, unit_rows

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

NAMED_TARGETS = 3
"""How many target rows a row's receipt names."""

# Queries of one search: bounds the float64 copies, not the result.
_BLOCK_ROWS = 8192
# Hides the rounding that depends on the batch; float16 embeddings are coarser still.
_COSINE_DECIMALS = 7


def nearest_targets(
    rows: ArrayLike | torch.Tensor, target: ArrayLike | torch.Tensor, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Give the k target rows with the largest cosine to each row (faiss).

    The search is exact up to the sizes in `selection.neighbours.index`. Above them it finds at
    least 0.99 of the neighbours, measured on these rows. Memory is O(block + n k).

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
    target_MD = unit_rows(target, "target")
    m, width = target_MD.shape
    if not 1 <= k <= m:
        raise ValueError(f"k is {k}; with a target of {m} rows it must be from 1 to {m}")
    rows_ND = as_numpy(rows)
    unit_rows(rows_ND[:0], "rows", width=width, may_be_empty=True)  # the shape, before the search
    index = build_index(target_MD.astype(np.float32), rows_ND, k)
    indices_NK = np.empty((len(rows_ND), k), dtype=np.int64)
    cosines_NK = np.empty((len(rows_ND), k))
    for start in range(0, len(rows_ND), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        block_BD = unit_rows(rows_ND[block], f"rows[{start}:]" if start else "rows")
        _, found_BK = index.search(block_BD.astype(np.float32), k)
        exact_BK = np.stack(
            [np.einsum("bd,bd->b", block_BD, target_MD[found_BK[:, j]]) for j in range(k)], axis=1
        ).round(_COSINE_DECIMALS)
        order_BK = np.lexsort((found_BK, -exact_BK), axis=1)
        indices_NK[block] = np.take_along_axis(found_BK, order_BK, axis=1)
        cosines_NK[block] = np.take_along_axis(exact_BK, order_BK, axis=1)
    return indices_NK, cosines_NK


NEAREST_RECEIPTS = frozenset({"nearest_target", "nearest_cosine", "nearest_targets"})
"""Names of the columns that `nearest_receipts` gives."""


def nearest_receipts(
    rows: ArrayLike | torch.Tensor, target: ArrayLike | torch.Tensor, target_row_id: np.ndarray
) -> dict[str, np.ndarray | pa.Array]:
    """Name the target rows nearest to each row, as receipt columns of length n.

    Returns
    -------
    dict
        ``nearest_target`` (row id, str), ``nearest_cosine`` (float64), and ``nearest_targets``: the
        nearest 3, or as many as the target has, nearest first; each a struct of ``target`` (row
        id), ``cosine`` and ``squared_distance`` of the unit rows (2 - 2 cosine).
    """
    k = min(NAMED_TARGETS, len(target_row_id))
    indices_NK, cosines_NK = nearest_targets(rows, target, k)
    names_NK = np.asarray(target_row_id, dtype=str)[indices_NK]
    return {
        "nearest_target": names_NK[:, 0],
        "nearest_cosine": cosines_NK[:, 0],
        "nearest_targets": _lists(names_NK, cosines_NK),
    }


def _lists(names_NK: np.ndarray, cosines_NK: np.ndarray) -> pa.Array:
    import pyarrow as pa

    n, k = names_NK.shape
    cosines = cosines_NK.ravel()
    named = pa.StructArray.from_arrays(
        [
            pa.array(names_NK.ravel(), pa.string()),
            pa.array(cosines),
            pa.array((2.0 - 2.0 * cosines).round(_COSINE_DECIMALS)),
        ],
        names=["target", "cosine", "squared_distance"],
    )
    return pa.ListArray.from_arrays(pa.array(np.arange(n + 1) * k, pa.int32()), named)
