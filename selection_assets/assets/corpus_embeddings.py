"""corpus_embeddings[source]: one vector a row; rows seen before keep theirs."""

from collections.abc import Sequence

import dagster as dg
import numpy as np
import pyarrow as pa
from tqdm import tqdm

from selection.basics.array_file import ArrayFile
from selection.config.study import Study
from selection.embedding.shards import encode_in_shards
from selection_assets.planning.known_rates import expected_embedding
from selection_assets.shared.embedders import embedding_facts
from selection_assets.shared.rows_to_embed import RowsToEmbed
from selection_assets.shared.vectors_in_order import VectorsInOrder
from selection_assets.stage.keys import embedder_key, pool_key, source_partitions
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Check, Draft, Expected, Step

MAX_WITHOUT_VECTOR = 0.05


def build_corpus_embeddings(pool: str, embedder_name: str, users: Sequence[Study]) -> Stage:
    """Build the asset for one embedder of a pool, and for the studies that use it."""
    key = embedder_key(pool, embedder_name, "corpus_embeddings")

    def finds(step: Step) -> RowsToEmbed:
        before = step.workspace.ledger.current_versions(key.to_user_string()).values()
        return RowsToEmbed.find(step, before)

    def expects(step: Step) -> Expected:
        found: RowsToEmbed = step.found
        return expected_embedding(step, found.model, found.new_texts, found.new_sizes)

    @stage(
        key=key,
        campaign=pool,
        ins={
            "raw_corpus": dg.AssetIn(pool_key(pool, "raw_corpus")),
            "embedder": dg.AssetIn(embedder_key(pool, embedder_name, "embedder")),
        },
        partitions=source_partitions(pool),
        costly=True,
        metered=True,
        finds=finds,
        expects=expects,
        payers=users,
        checks={
            "unit_norm": "Every vector, new or reused, is finite and of norm one.",
            "vectors_usable": f"At most {MAX_WITHOUT_VECTOR:.0%} of the rows have no vector.",
        },
        kinds={"pytorch", "numpy"},
    )
    def corpus_embeddings(step: Step) -> Draft:
        """`vectors.npy` (float16, norm one) in the order of `rows.parquet`'s `row_id`."""
        found: RowsToEmbed = step.found
        row_id, new, width = found.row_id, found.new, found.model.width
        with (
            ArrayFile(step.work / "vectors.npy", (width,), np.float16) as file,
            tqdm(total=len(new), desc=f"embed {step.partition}", leave=False) as bar,
        ):
            vectors = VectorsInOrder(file, width, len(row_id), new, found.known)
            encoded = encode_in_shards(
                found.model,
                found.new_texts,
                version=step.one("embedder").version,
                folder=step.work,
                take=vectors.take,
                report=bar.update,
                meter=step.meter,
                engine=step.device.engine_with_models,
            )
            vectors.finish()
        has_vector = vectors.has_vector
        n_without = int((~has_vector).sum())
        return Draft(
            files={
                "vectors.npy": step.work / "vectors.npy",
                "rows.parquet": pa.table({"row_id": row_id.filter(pa.array(has_vector))}),
                "quarantine.parquet": _quarantine(row_id.filter(pa.array(~has_vector))),
                "embedder.json": found.made_by,
            },
            rows=int(has_vector.sum()),
            flops=encoded.flops,
            resumed_flops=encoded.resumed_flops,
            accountant="detailed",
            facts={
                "rows_embedded_now": len(new),
                "rows_reused": len(row_id) - len(new),
                "width": width,
                **embedding_facts(found.model, encoded),
            },
            checks=[
                Check("unit_norm", vectors.are_unit),
                Check(
                    "vectors_usable",
                    n_without <= MAX_WITHOUT_VECTOR * len(row_id),
                    {"without_vector": n_without},
                ),
            ],
        )

    return corpus_embeddings


def _quarantine(row_id: pa.ChunkedArray) -> pa.Table:
    reason = ["zero vector: the embedder knows none of its tokens"] * len(row_id)
    return pa.table({"row_id": row_id, "reason": pa.array(reason, pa.string())})
