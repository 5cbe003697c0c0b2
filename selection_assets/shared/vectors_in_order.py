"""New vectors of a source and those it had, in the order of its rows, with few of them held."""

from collections.abc import Sequence

import numpy as np

from selection.basics.array_file import ArrayFile
from selection_assets.shared.made_before import MadeBefore

AT_ONCE = 8192
"""Rows that are put together."""


class VectorsInOrder:
    """Writes a source's vectors while new ones come; rows without one are left out.

    Parameters
    ----------
    file : of float16 vectors.
    width : of a vector.
    n_rows : of the source.
    new : int64, ascending; rows whose vectors come.
    known : vectors of the others, in `vectors.npy` of earlier artifacts.

    Attributes
    ----------
    has_vector : np.ndarray of shape (n_rows,), bool
        Of the rows written so far.
    are_unit : bool
        Whether all vectors written are finite and of norm one.
    """

    def __init__(
        self,
        file: ArrayFile,
        width: int,
        n_rows: int,
        new: np.ndarray,
        known: Sequence[MadeBefore],
    ) -> None:
        self._file, self._width, self._new = file, width, new
        self._known = [(one.ours, one.theirs, one.artifact.array("vectors.npy")) for one in known]
        self._written, self._taken = 0, 0
        self.has_vector, self.are_unit = np.zeros(n_rows, dtype=bool), True

    def take(self, vectors: np.ndarray, has_vector: np.ndarray) -> None:
        """Take the next new rows' vectors, of those that have one, and which those are."""
        places = self._new[self._taken : self._taken + len(has_vector)]
        self._taken += len(places)
        if len(places):
            self._write_until(int(places[-1]) + 1, places[has_vector], vectors)

    def finish(self) -> None:
        """Write the rows behind the last new one."""
        nothing = np.empty((0, self._width), dtype=np.float16)
        self._write_until(len(self.has_vector), np.empty(0, dtype=np.int64), nothing)

    def _write_until(self, end: int, places: np.ndarray, vectors: np.ndarray) -> None:
        for start in range(self._written, end, AT_ONCE):
            stop = min(start + AT_ONCE, end)
            rows = np.zeros((stop - start, self._width), dtype=np.float16)
            for ours, theirs, of_artifact in self._known:
                first, last = np.searchsorted(ours, [start, stop])
                rows[ours[first:last] - start] = of_artifact[theirs[first:last]]
            first, last = np.searchsorted(places, [start, stop])
            rows[places[first:last] - start] = vectors[first:last]
            has_vector = rows.any(axis=1)
            norms = np.linalg.norm(rows[has_vector].astype(np.float32), axis=1)
            self.are_unit &= bool(np.allclose(norms, 1, atol=0.01))
            self.has_vector[start:stop] = has_vector
            self._file.add(rows[has_vector])
        self._written = end
