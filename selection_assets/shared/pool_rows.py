"""Read the pool's artifacts as the rows that methods work on."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from resources.store.artifacts import Artifact
from selection.methods.contract.values import Rows


def read_rows(corpus: Artifact, embeddings: Artifact | None = None, features: Any = None) -> Rows:
    """Rows of one source; with embeddings, those rows only that have a vector.

    Parameters
    ----------
    features : what a method's preparation has computed of each row.
    """
    table = corpus.table("rows.parquet", ["row_id", "text", "n_words"])
    row_id = table["row_id"].to_numpy()
    vectors = None
    if embeddings is not None:
        embedded = embeddings.table("rows.parquet")["row_id"].to_numpy()
        vectors = embeddings.array("vectors.npy")
        # Both are sorted by row id, so keeping the embedded rows keeps them aligned.
        table = table.filter(np.isin(row_id, embedded))
        row_id = table["row_id"].to_numpy()
        if not np.array_equal(row_id, embedded):
            raise ValueError(
                f"{embeddings.folder} does not belong to {corpus.folder}: materialize"
                f" {embeddings.asset}[{embeddings.partition}] again"
            )
    texts, n_words = table["text"].to_pylist(), table["n_words"].to_numpy()
    if features is not None and features.shape[0] != len(row_id):
        raise ValueError(
            f"there are features of {features.shape[0]} rows of {corpus.folder}, which has"
            f" {len(row_id)}: materialize them again"
        )
    return Rows(row_id, texts, n_words, vectors, corpus.partition, features)


def iterate_sources(
    corpus: Mapping[str, Artifact],
    embeddings: Mapping[str, Artifact] | None = None,
    features: Mapping[str, Any] | None = None,
) -> Iterator[tuple[str, Rows]]:
    """Each source's name and rows, by name."""
    for source in sorted(corpus):
        of_source = embeddings[source] if embeddings else None
        computed = features[source] if features else None
        yield source, read_rows(corpus[source], of_source, computed)


def count_rows(corpus: Mapping[str, Artifact], embeddings: Mapping[str, Artifact] | None) -> int:
    """How many rows `iterate_sources` gives, without reading them."""
    counted = corpus if embeddings is None else embeddings
    return sum(a.table("rows.parquet", ["row_id"]).num_rows for a in counted.values())


def pool_vectors(embeddings: Mapping[str, Artifact]) -> tuple[np.ndarray, np.ndarray]:
    """Row ids of shape (n,) and vectors of shape (n, d) of the whole pool, by source."""
    ids = [embeddings[s].table("rows.parquet")["row_id"].to_numpy() for s in sorted(embeddings)]
    vectors = [embeddings[source].array("vectors.npy") for source in sorted(embeddings)]
    return np.concatenate(ids), np.concatenate(vectors)
