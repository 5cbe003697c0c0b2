"""From what a caller holds to unit rows and probability weights, or an error naming the row.

The cost between unit rows is ``||x - y||^2 = 2 - 2 cos(x, y)``, in [0, 4].
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

if TYPE_CHECKING:
    import torch

LARGEST_COST = 4.0
# Costs in float32 are uncertain by a few 1e-7; a mean below this is rounding, not distance.
SMALLEST_COST = 1e-6
_BLOCK_ROWS = 65_536
# Between these lengths float32 squares entries without losing them; beyond, float64 is used.
_SHORT, _LONG = 1e-12, 1e12


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
    numbers: range | None = None,
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
    numbers : range or None
        What the rows are numbered in errors, when these are some of more.

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
    check_rows(rows_ND, name, width=width, may_be_empty=may_be_empty)
    unit_ND = np.empty(rows_ND.shape, dtype=dtype)
    numbers = range(len(rows_ND)) if numbers is None else numbers
    for start in range(0, len(rows_ND), _BLOCK_ROWS):
        block_BD = rows_ND[start : start + _BLOCK_ROWS].astype(np.float64)
        _refuse(
            np.logical_not(np.isfinite(block_BD).all(axis=1)),
            numbers[start:],
            name,
            "holds NaN or infinity",
        )
        # The largest entry goes first, so that the squares of very small rows do not vanish.
        largest_B = np.abs(block_BD).max(axis=1, keepdims=True)
        _refuse(
            largest_B[:, 0] == 0.0,
            numbers[start:],
            name,
            "has zero length, so it has no direction",
        )
        block_BD /= largest_B
        unit_ND[start : start + _BLOCK_ROWS] = block_BD / np.linalg.norm(
            block_BD, axis=1, keepdims=True
        )
    return unit_ND


def check_rows(
    rows: np.ndarray | torch.Tensor,
    name: str,
    *,
    width: int | None = None,
    may_be_empty: bool = False,
) -> None:
    """Refuse rows of the wrong shape, dtype or width, whatever their values; see `unit_rows`."""
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise ValueError(f"{name} must have shape (rows, width), got {tuple(rows.shape)}")
    if not _holds_floats(rows):
        raise ValueError(f"{name} must hold floats, got {rows.dtype}; convert them first")
    if len(rows) == 0 and not may_be_empty:
        raise ValueError(f"{name} has no rows; give at least one")
    if width is not None and rows.shape[1] != width:
        raise ValueError(
            f"{name} has width {rows.shape[1]} and must have width {width}; "
            "embed both sides with the same model"
        )


def _holds_floats(rows: np.ndarray | torch.Tensor) -> bool:
    if isinstance(rows, np.ndarray):
        return np.issubdtype(rows.dtype, np.floating)
    return rows.dtype.is_floating_point


class UnitRows:
    """Rows of any float dtype, wherever they are, as unit rows on a device, a block at a time.

    A memory-mapped array is read block by block and never held; rows are checked as they pass.

    Parameters
    ----------
    values : array or tensor of shape (n, D), any float dtype
    name : str
        What errors call the rows.
    device, dtype : torch device and dtype of the blocks
    width : int or None
        The D expected.
    may_be_empty : bool
    """

    def __init__(
        self,
        values: ArrayLike | torch.Tensor,
        name: str,
        *,
        device: torch.device,
        dtype: torch.dtype,
        width: int | None = None,
        may_be_empty: bool = False,
    ) -> None:
        import torch

        rows = values if isinstance(values, torch.Tensor) else np.asarray(values)
        check_rows(rows, name, width=width, may_be_empty=may_be_empty)
        self._rows, self._name, self._device, self._dtype = rows, name, device, dtype
        self._numbers = range(len(rows))

    def resident(self) -> UnitRows:
        """Give the same rows, held on a GPU as they are when they fit a quarter of its free memory.

        Several passes then send them once. On a CPU nothing changes.
        """
        import torch

        if self._device.type != "cuda":
            return self
        free, _ = torch.cuda.mem_get_info(self._device)
        itemsize = self._rows.dtype.itemsize
        if len(self._rows) * self.width * itemsize > free // 4:
            return self
        held = copy(self)
        held._rows = torch.as_tensor(self._rows).to(self._device)
        return held

    def every(self, stride: int, first: int = 0) -> UnitRows:
        """Give a view of the row ``first`` and each stride-th after it."""
        view = copy(self)
        view._rows, view._numbers = self._rows[first::stride], self._numbers[first::stride]
        return view

    def __len__(self) -> int:
        """Give the number of rows."""
        return len(self._rows)

    @property
    def width(self) -> int:
        """Width of the rows."""
        return int(self._rows.shape[1])

    def __getitem__(self, block: slice) -> torch.Tensor:
        """Give the unit rows of a slice, of shape (B, D).

        Raises
        ------
        ValueError
            A row that is not finite or has zero length, by number.
        """
        import torch

        values = self._rows[block]
        if isinstance(values, np.ndarray):
            # torch warns of memory that it could write to but must not, as of a read-only map.
            values = torch.from_numpy(values if values.flags.writeable else values.copy())
        # Narrow rows are sent as they are and widened on the device.
        sent_BD = values.to(self._device, non_blocking=True)
        # Fresh memory is aligned, and sums over it are the same to the bit every time.
        rows_BD = torch.empty(sent_BD.shape, dtype=self._dtype, device=self._device).copy_(sent_BD)
        length_B1 = torch.linalg.vector_norm(rows_BD, dim=1, keepdim=True)
        shortest, longest = torch.aminmax(length_B1)
        if bool(shortest > _SHORT) and bool(longest < _LONG):  # not so when either is NaN
            return rows_BD.div_(length_B1)
        careful = unit_rows(values, self._name, numbers=self._numbers[block])
        return torch.from_numpy(careful).to(self._device, self._dtype)


def _refuse(bad_B: np.ndarray, numbers: range, name: str, why: str) -> None:
    if bad_B.any():
        raise ValueError(
            f"{name} row {numbers[int(bad_B.argmax())]} {why}; quarantine or embed it again"
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
