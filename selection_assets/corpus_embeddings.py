"""corpus_embeddings[source]: one vector a row; rows seen before keep theirs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import numpy as np
import pyarrow as pa
from tqdm import tqdm

from resources.artifacts import Artifact
from resources.device import Device
from resources.workspace import Workspace
from selection.budget.meter import Meter
from selection.config.study import Study
from selection.embedding.embedder import Embedder, load_embedder
from selection.embedding.shards import encode_in_shards
from selection_assets.draft import Check, Draft
from selection_assets.embedding_facts import embedding_facts
from selection_assets.expected import Expected
from selection_assets.keys import embedder_key, pool_key, source_partitions
from selection_assets.rates import expected_embedding
from selection_assets.stage import Stage, stage

MAX_WITHOUT_VECTOR = 0.05


def build_corpus_embeddings(pool: str, embedder_name: str, users: Sequence[Study]) -> Stage:
    """Build the asset for one embedder of a pool, and for the studies that use it."""
    key = embedder_key(pool, embedder_name, "corpus_embeddings")

    def made_before(workspace: Workspace) -> list[Artifact]:
        return list(workspace.ledger.current_versions(key.to_user_string()).values())

    def expects(
        raw_corpus: Artifact, embedder: Artifact, device: Device, workspace: Workspace
    ) -> Expected:
        todo = _Todo.find(raw_corpus, embedder, device, made_before(workspace))
        return expected_embedding(todo.model, embedder, todo.new_texts, workspace, device)

    @stage(
        key=key,
        campaign=pool,
        ins={
            "raw_corpus": dg.AssetIn(pool_key(pool, "raw_corpus")),
            "embedder": dg.AssetIn(embedder_key(pool, embedder_name, "embedder")),
        },
        partitions=source_partitions(pool),
        costly=True,
        expects=expects,
        payers=users,
        checks={
            "unit_norm": "Every vector, new or reused, is finite and of norm one.",
            "vectors_usable": f"At most {MAX_WITHOUT_VECTOR:.0%} of the rows have no vector.",
        },
        kinds={"pytorch", "numpy"},
    )
    def corpus_embeddings(
        context: dg.AssetExecutionContext,
        raw_corpus: Artifact,
        embedder: Artifact,
        device: Device,
        workspace: Workspace,
        work: Path,
        meter: Meter,
    ) -> Draft:
        """`vectors.npy` (float16, norm one) in the order of `rows.parquet`'s `row_id`."""
        todo = _Todo.find(raw_corpus, embedder, device, made_before(workspace))
        row_id, vectors, new = todo.row_id, todo.vectors, todo.new
        with tqdm(total=len(new), desc=f"embed {context.partition_key}", leave=False) as bar:
            encoded = encode_in_shards(
                todo.model,
                todo.new_texts,
                version=embedder.version,
                folder=work,
                report=bar.update,
                meter=meter,
            )
        vectors[new[encoded.kept]] = encoded.vectors
        has_vector = vectors.any(axis=1)
        norms = np.linalg.norm(vectors[has_vector].astype(np.float32), axis=1)
        n_without = int((~has_vector).sum())
        return Draft(
            files={
                "vectors.npy": vectors[has_vector],
                "rows.parquet": pa.table({"row_id": row_id[has_vector]}),
                "quarantine.parquet": _quarantine(row_id[~has_vector]),
                "embedder.json": todo.made_by,
            },
            rows=int(has_vector.sum()),
            flops=encoded.flops,
            resumed_flops=encoded.resumed_flops,
            accountant="detailed",
            facts={
                "rows_embedded_now": len(new),
                "rows_reused": len(row_id) - len(new),
                "width": todo.model.width,
                **embedding_facts(todo.model, encoded),
            },
            checks=[
                Check("unit_norm", bool(np.allclose(norms, 1, atol=0.01))),
                Check(
                    "vectors_usable",
                    n_without <= MAX_WITHOUT_VECTOR * len(row_id),
                    {"without_vector": n_without},
                ),
            ],
        )

    return corpus_embeddings


@dataclass(frozen=True)
class _Todo:
    """What there is to embed of a source.

    Attributes
    ----------
    model : the embedder, loaded.
    made_by : what its vectors depend on.
    row_id : of shape (n,).
    vectors : float16 of shape (n, width); zero for rows without one yet.
    new : int64, indices of these; `new_texts` are their texts.
    """

    model: Embedder
    made_by: dict[str, str]
    row_id: np.ndarray
    vectors: np.ndarray
    new: np.ndarray
    new_texts: list[str]

    @classmethod
    def find(
        cls, raw_corpus: Artifact, embedder: Artifact, device: Device, before: Iterable[Artifact]
    ) -> "_Todo":
        rows = raw_corpus.table("rows.parquet", ["row_id", "text"])
        row_id, texts = rows["row_id"].to_numpy(), rows["text"].to_pylist()
        model = load_embedder(
            embedder.path("embedder"), device=device.name, precision=device.embedding_precision
        )
        vectors = np.zeros((len(row_id), model.width), dtype=np.float16)
        # Vectors of one model in another precision are other vectors.
        made_by = {"version": embedder.version, "precision": model.precision}
        new = np.flatnonzero(~_copy_vectors_seen(vectors, row_id, before, made_by))
        return cls(model, made_by, row_id, vectors, new, [texts[i] for i in new])


def _copy_vectors_seen(
    vectors: np.ndarray,
    row_id: np.ndarray,
    made_before: Iterable[Artifact],
    made_by: dict[str, str],
) -> np.ndarray:
    """Fill in the vectors that this very embedder gave rows of the pool; mask of shape (n,)."""
    seen = np.zeros(len(row_id), dtype=bool)
    for artifact in made_before:
        if artifact.json("embedder.json") != made_by:
            continue
        theirs = artifact.table("rows.parquet")["row_id"].to_numpy()
        _, ours_at, theirs_at = np.intersect1d(
            row_id, theirs, assume_unique=True, return_indices=True
        )
        vectors[ours_at] = artifact.array("vectors.npy")[theirs_at]
        seen[ours_at] = True
    return seen


def _quarantine(row_id: np.ndarray) -> pa.Table:
    reason = ["zero vector: the embedder knows none of its tokens"] * len(row_id)
    return pa.table(
        {"row_id": pa.array(row_id, pa.string()), "reason": pa.array(reason, pa.string())}
    )
