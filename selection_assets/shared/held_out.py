"""The rows of a target that nothing may be trained on, and the rows of the pool that leak them."""

from collections.abc import Iterable

import pyarrow as pa

from resources.store.artifacts import Artifact
from selection.leaks.held_out import HeldOut

LEAKS = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("leak", pa.string(), nullable=False),
        pa.field("leak_of", pa.string(), nullable=False),
    ]
)
"""Of a row of the pool: how it leaks, and which held-out row."""


def held_out_rows(target_examples: Artifact) -> list[HeldOut]:
    """Rows that steer or evaluate; those of the train split are trained on anyway."""
    columns = ["row_id", "split", "text", "prompt"]
    rows = target_examples.table("rows.parquet", columns).to_pylist()
    return [
        HeldOut(row["row_id"], row["text"], row["prompt"])
        for row in rows
        if row["split"] != "train"
    ]


def leaking_rows(target_leaks: Iterable[Artifact]) -> pa.Table:
    """All rows of a pool that leak, as `LEAKS`, each once.

    A row that stands in several sources leaks in all of them where it does in one.
    """
    tables = [leaks.table("leaks.parquet") for leaks in target_leaks]
    rows = pa.concat_tables([LEAKS.empty_table(), *tables]).to_pylist()
    return pa.Table.from_pylist(list({row["row_id"]: row for row in rows}.values()), schema=LEAKS)
