"""The few largest parts of each row's sum, found for all rows at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array


@dataclass(frozen=True)
class TopParts:
    """The largest entries of each row, one row's after another.

    Attributes
    ----------
    offsets : np.ndarray of shape (n + 1,), int32
        Row i's entries are those from offsets[i] to offsets[i + 1].
    columns : np.ndarray of shape (m,), int64
    values : np.ndarray of shape (m,), float64
    """

    offsets: np.ndarray
    columns: np.ndarray
    values: np.ndarray


def top_parts(parts: csr_array, k: int) -> TopParts:
    """Find each row's up to k largest positive entries; of equal ones the first columns.

    Parameters
    ----------
    parts : csr_array of shape (n, d)
        What each column adds to the row's sum.
    """
    indptr, columns, values = (np.asarray(a) for a in (parts.indptr, parts.indices, parts.data))
    n_rows = len(indptr) - 1
    row = np.repeat(np.arange(n_rows), np.diff(indptr))
    kept = values > 0
    row, columns, values = row[kept], columns[kept], values[kept]
    order = np.lexsort((columns, np.negative(values), row))
    row, columns, values = row[order], columns[order], values[order]
    first = np.searchsorted(row, np.arange(n_rows))
    kept = np.arange(len(row)) - first[row] < k
    counts = np.bincount(row[kept], minlength=n_rows)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return TopParts(offsets, columns[kept].astype(np.int64), values[kept])
