"""A matrix that is too large to hold is written row by row."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np


class MatrixFile:
    """A `.npy` file to which rows are added; what `np.save` writes of all of them, to the byte.

    Used with `with`.

    Parameters
    ----------
    path : written over.
    width : of a row.
    dtype : of its numbers.
    """

    def __init__(self, path: Path, width: int, dtype: np.typing.DTypeLike) -> None:
        self._dtype, self._width, self._n = np.dtype(dtype), width, 0
        self._file = path.open("wb")
        self._write_header()

    def __enter__(self) -> MatrixFile:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Say how many rows there are, and end the file."""
        self._file.seek(0)
        self._write_header()
        self._file.close()

    def __len__(self) -> int:
        """Rows so far."""
        return self._n

    def add(self, rows: np.ndarray) -> None:
        """Add rows, of shape (n, width) and the file's dtype."""
        if rows.dtype != self._dtype or rows.shape[1:] != (self._width,):
            raise ValueError(
                f"rows of shape {rows.shape} and {rows.dtype} do not belong to a matrix of width"
                f" {self._width} and {self._dtype}"
            )
        np.ascontiguousarray(rows).tofile(self._file)
        self._n += len(rows)

    def _write_header(self) -> None:
        # numpy leaves room in it for a number of rows that grows.
        np.lib.format.write_array_header_1_0(
            self._file,
            {
                "descr": np.lib.format.dtype_to_descr(self._dtype),
                "fortran_order": False,
                "shape": (self._n, self._width),
            },
        )
