"""The rows of a target that steer a selection, as methods take them."""

import pyarrow as pa

from resources.store.artifacts import Artifact
from selection.methods.contract.protocol import Rows


def steering_rows(target_examples: Artifact, target_embeddings: Artifact | None) -> Rows:
    """Return the dev split as methods take it: the part of the target that selection may see."""
    table = target_examples.table("rows.parquet")
    chosen = [i for i, split in enumerate(table["split"].to_pylist()) if split == "dev"]
    table = table.take(pa.array(chosen))
    return Rows(
        table["row_id"].to_numpy(),
        table["text"].to_pylist(),
        table["n_tokens"].to_numpy(),
        target_embeddings.array("vectors.npy")[chosen] if target_embeddings else None,
    )
