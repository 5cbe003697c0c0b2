"""The target as those who read it take it."""

import pyarrow as pa

from resources.store.artifacts import Artifact
from selection.arms.target import to_examples
from selection.methods.contract.values import Rows
from selection.models.examples import Example


def steering_rows(target_examples: Artifact, target_embeddings: Artifact | None) -> Rows:
    """Return the dev split as methods take it: the part of the target that selection may see."""
    table = target_examples.table("rows.parquet")
    chosen = [i for i, split in enumerate(table["split"].to_pylist()) if split == "dev"]
    table = table.take(pa.array(chosen))
    return Rows(
        table["row_id"].to_numpy(),
        table["text"].to_pylist(),
        table["n_words"].to_numpy(),
        target_embeddings.array("vectors.npy")[chosen] if target_embeddings else None,
    )


def dev_examples(target_examples: Artifact) -> list[Example]:
    """The examples that steer the selection."""
    return to_examples(target_examples.table("rows.parquet"), "dev")


def labels_of(target_rows: pa.Table) -> list[str]:
    """Candidates of a labelled target: the labels that training could show, none for another.

    Another one in the test split is an error of every model alike.
    """
    labels = {example.label for example in to_examples(target_rows, "train")}
    return sorted(label for label in labels if label is not None)
