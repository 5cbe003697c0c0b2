"""An array that is too large to hold is written row by row."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np


class ArrayFile:
    """A `.npy` file to which rows are added; what `np.save` writes of all of them, to the byte.

    Used with `with`.

    Parameters
    ----------
    path : what was there is replaced.
    row_shape : of a row; () for an array of one dimension.
    dtype : of its numbers.
    """

    def __init__(self, path: Path, row_shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> None:
        self._dtype, self._row_shape, self._n = np.dtype(dtype), row_shape, 0
        path.unlink(missing_ok=True)  # who has a map of what was there keeps it
        self._file = path.open("wb")
        self._write_header()

    def __enter__(self) -> ArrayFile:
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
        """Add rows, of shape (n, *row_shape) and the file's dtype."""
        if rows.dtype != self._dtype or rows.shape[1:] != self._row_shape:
            raise ValueError(
                f"rows of shape {rows.shape} and {rows.dtype} do not belong to an array of rows of"
                f" shape {self._row_shape} and {self._dtype}"
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
                "shape": (self._n, *self._row_shape),
            },
        )
