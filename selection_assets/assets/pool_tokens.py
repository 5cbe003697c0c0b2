"""pool_tokens[source], selector_pool_tokens[source]: a decoder's tokens in each row of the pool."""

import dagster as dg
import pyarrow as pa

from selection.config.decoders import Decoder
from selection.models.base import load_tokenizer
from selection.models.tokenizer import count_tokens
from selection_assets.shared.decoders import Role, tokens_asset
from selection_assets.shared.pool_rows import whole_texts
from selection_assets.stage.keys import decoder_key, pool_key, source_partitions
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Draft, Step


def build_pool_tokens(pool: str, decoder: Decoder, *, role: Role) -> Stage:
    """Build the asset for one decoder of a pool."""

    @stage(
        key=decoder_key(pool, decoder, tokens_asset(role)),
        campaign=pool,
        ins={
            "raw_corpus": dg.AssetIn(pool_key(pool, "raw_corpus")),
            "tokenizer": dg.AssetIn(decoder_key(pool, decoder, f"{role}_tokenizer")),
        },
        partitions=source_partitions(pool),
        kinds={"huggingface", "parquet"},
    )
    def pool_tokens(step: Step) -> Draft:
        """`tokens.parquet`: each row's `row_id` and `n_tokens`, its end-of-text token included."""
        rows = step.one("raw_corpus").table("rows.parquet", ["row_id", "text", "turns"])
        made = step.one("tokenizer")
        tokenizer = step.once("tokenizer", lambda: load_tokenizer(made.path("tokenizer")))
        # The base model is trained on whole rows; a selector reads what selection looks at.
        texts = whole_texts(rows) if role == "base" else rows["text"].to_pylist()
        n_tokens = count_tokens(tokenizer, texts)
        return Draft(
            files={"tokens.parquet": pa.table({"row_id": rows["row_id"], "n_tokens": n_tokens})},
            rows=rows.num_rows,
            facts={"tokens": n_tokens.sum()},
        )

    return pool_tokens
