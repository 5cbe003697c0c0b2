"""From what a caller holds to unit rows and probability weights, or an error naming the row.

The cost between unit rows is ``||x - y||^2 = 2 - 2 cos(x, y)``, in [0, 4].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

if TYPE_CHECKING:
    import torch

LARGEST_COST = 4.0
_BLOCK_ROWS = 65_536


def as_numpy(values: ArrayLike | torch.Tensor) -> np.ndarray:
    """Give a numpy view (or a copy from another device) of an array or a torch tensor."""
    if hasattr(values, "detach"):
        tensor = values.detach().cpu()  # pyright: ignore[reportAttributeAccessIssue]
        # numpy has no bfloat16; float32 holds every one of its values.
        return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
    return np.asarray(values)


def unit_rows(
    values: ArrayLike | torch.Tensor,
    name: str,
    *,
    dtype: DTypeLike = np.float64,
    width: int | None = None,
    may_be_empty: bool = False,
) -> np.ndarray:
    """Validate rows and scale each to unit length.

    Parameters
    ----------
    values : array or tensor of shape (n, d), any float dtype
    name : str
        What the error calls the rows.
    dtype : dtype
        Of the result; lengths are always taken in float64.
    width : int or None
        The d expected, when another set of rows fixes it.
    may_be_empty : bool
        Whether n = 0 is allowed.

    Returns
    -------
    np.ndarray of shape (n, d)

    Raises
    ------
    ValueError
        Not two-dimensional, not of a float dtype, empty, of another width, or holding a row that
        is not finite or has zero length (the first such row is named).
    """
    rows_ND = as_numpy(values)
    if rows_ND.ndim != 2 or rows_ND.shape[1] == 0:
        raise ValueError(f"{name} must have shape (rows, width), got {rows_ND.shape}")
    if not np.issubdtype(rows_ND.dtype, np.floating):
        raise ValueError(f"{name} must hold floats, got {rows_ND.dtype}; convert them first")
    if len(rows_ND) == 0 and not may_be_empty:
        raise ValueError(f"{name} has no rows; give at least one")
    if width is not None and rows_ND.shape[1] != width:
        raise ValueError(
            f"{name} has width {rows_ND.shape[1]} and must have width {width}; "
            "embed both sides with the same model"
        )
    unit_ND = np.empty(rows_ND.shape, dtype=dtype)
    for start in range(0, len(rows_ND), _BLOCK_ROWS):
        block_BD = rows_ND[start : start + _BLOCK_ROWS].astype(np.float64)
        _refuse(
            np.logical_not(np.isfinite(block_BD).all(axis=1)), start, name, "holds NaN or infinity"
        )
        # The largest entry goes first, so that the squares of very small rows do not vanish.
        largest_B = np.abs(block_BD).max(axis=1, keepdims=True)
        _refuse(largest_B[:, 0] == 0.0, start, name, "has zero length, so it has no direction")
        block_BD /= largest_B
        unit_ND[start : start + _BLOCK_ROWS] = block_BD / np.linalg.norm(
            block_BD, axis=1, keepdims=True
        )
    return unit_ND


def _refuse(bad_B: np.ndarray, start: int, name: str, why: str) -> None:
    if bad_B.any():
        raise ValueError(
            f"{name} row {start + int(bad_B.argmax())} {why}; quarantine or embed it again"
        )


def probability_weights(weights: ArrayLike | torch.Tensor | None, n: int, name: str) -> np.ndarray:
    """Give strictly positive weights of shape (n,), float64, scaled to sum to one.

    None means uniform. ValueError on another shape, or on the first weight that is not positive.
    """
    if weights is None:
        return np.full(n, 1.0 / n)
    weights_N = as_numpy(weights).astype(np.float64)
    if weights_N.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), one weight a row, got {weights_N.shape}")
    bad_N = ~(np.isfinite(weights_N) & (weights_N > 0))
    if bad_N.any():
        first = int(bad_N.argmax())
        raise ValueError(
            f"{name}[{first}] is {weights_N[first]}; weights must be positive and finite, "
            "so leave rows without mass out"
        )
    return weights_N / weights_N.sum()
