"""The target's rows as a model reads them."""

from __future__ import annotations

import pyarrow as pa

from selection.models.chat_tokens import TrainOn
from selection.models.examples import Example


def to_examples(rows: pa.Table, split: str, *, train_on: TrainOn | None = None) -> list[Example]:
    """Return the examples of one split of `target_examples`.

    Parameters
    ----------
    train_on : whose tokens of conversations. None reads them as the texts that methods select by.
    """
    columns = ("row_id", "text", "label", "prompt", "response")
    columns += () if train_on is None else ("turns",)
    return [
        Example(**{name: row[name] for name in columns}, train_on=train_on or "assistant")
        for row in rows.to_pylist()
        if row["split"] == split
    ]
