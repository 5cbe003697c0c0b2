"""embedder_tokens[source]: what rows are counted by where there is no base model to count them."""

from collections.abc import Sequence

import dagster as dg
import pyarrow as pa

from selection.config.study import Study
from selection.embedding.counting import count_read, load_tokens_of
from selection_assets.shared.pool_rows import stored_whole_texts
from selection_assets.stage.keys import embedder_key, pool_key, source_partitions
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Draft, Step


def build_embedder_tokens(pool: str, embedder: str, users: Sequence[Study]) -> Stage:
    """Build the asset for one embedder of a pool, and for the studies that use it."""

    @stage(
        key=embedder_key(pool, embedder, "embedder_tokens"),
        campaign=pool,
        ins={
            "raw_corpus": dg.AssetIn(pool_key(pool, "raw_corpus")),
            "embedder": dg.AssetIn(embedder_key(pool, embedder, "embedder")),
        },
        partitions=source_partitions(pool),
        payers=users,
        kinds={"huggingface", "parquet"},
    )
    def embedder_tokens(step: Step) -> Draft:
        """`tokens.parquet`: each row's `row_id` and `n_tokens`, however long it is."""
        corpus = step.one("raw_corpus")
        row_id = corpus.table("rows.parquet", ["row_id"])["row_id"]
        tokenizer = load_tokens_of(step.one("embedder").path("embedder"))
        n_tokens = count_read(tokenizer, stored_whole_texts(corpus))
        return Draft(
            files={"tokens.parquet": pa.table({"row_id": row_id, "n_tokens": n_tokens})},
            rows=len(row_id),
            facts={"tokens": n_tokens.sum()},
        )

    return embedder_tokens
