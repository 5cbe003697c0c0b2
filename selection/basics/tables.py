"""Rows of a table by what one of its columns holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def rows_where(table: pa.Table, column: str, value: str | int) -> pa.Table:
    """Rows in which a column has a value, in their order."""
    import pyarrow.compute as pc

    # The function is made at run time, where no type checker sees it.
    equal = pc.equal(table[column], value)  # pyright: ignore[reportAttributeAccessIssue]
    return table.filter(equal)
