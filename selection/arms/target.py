"""The target's rows as a model reads them."""

from __future__ import annotations

import pyarrow as pa

from selection.models.examples import Example


def to_examples(rows: pa.Table, split: str) -> list[Example]:
    """Return the examples of one split of `target_examples`."""
    columns = ("row_id", "text", "label", "prompt", "response")
    return [
        Example(**{name: row[name] for name in columns})
        for row in rows.to_pylist()
        if row["split"] == split
    ]
