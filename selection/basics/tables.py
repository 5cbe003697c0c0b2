"""Rows of a table, and places in it, by what one of its columns holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa


def rows_where(table: pa.Table, column: str, value: str | int) -> pa.Table:
    """Rows in which a column has a value, in their order."""
    import pyarrow.compute as pc

    # The function is made at run time, where no type checker sees it.
    equal = pc.equal(table[column], value)  # pyright: ignore[reportAttributeAccessIssue]
    return table.filter(equal)


def numbered(ids: pa.Array) -> np.ndarray:
    """Number texts, or numbers, in their order; those that are equal have one number.

    Returns
    -------
    np.ndarray of shape (n,), int64
    """
    import pyarrow.compute as pc

    in_order = pc.sort_indices(ids)  # pyright: ignore[reportAttributeAccessIssue]
    ordered = ids.take(in_order)
    is_new = np.zeros(len(ids), dtype=bool)
    differs = pc.not_equal(ordered[1:], ordered[:-1])  # pyright: ignore
    is_new[1:] = differs.to_numpy(zero_copy_only=False)
    number = np.empty(len(ids), dtype=np.int64)
    number[in_order.to_numpy()] = np.cumsum(is_new)
    return number


def places_of(values: pa.Array | pa.ChunkedArray, among: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Where each of some texts stands among others.

    Arrow hashes them: numpy compares Python's strings each with each, which takes minutes.

    Returns
    -------
    np.ndarray of shape (n,), int64
        The first place; -1 where it is not there.
    """
    import pyarrow.compute as pc

    if among.type != values.type:  # texts with longer offsets are the same texts
        among = among.cast(values.type)
    found = pc.index_in(values, value_set=among)  # pyright: ignore[reportAttributeAccessIssue]
    return found.fill_null(-1).to_numpy().astype(np.int64)
