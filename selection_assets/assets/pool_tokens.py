"""pool_tokens[source], selector_pool_tokens[source]: a decoder's tokens in each row of the pool."""

from collections.abc import Sequence

import dagster as dg
import pyarrow as pa

from selection.config.decoders import Decoder
from selection.config.study import Study
from selection.models.base import load_tokenizer
from selection_assets.shared.counted_rows import chat_facts, counted_rows
from selection_assets.shared.decoders import Role, read_shape, tokens_asset
from selection_assets.stage.keys import decoder_key, pool_key, source_partitions
from selection_assets.stage.stage import Stage, stage
from selection_assets.stage.step import Draft, Step


def build_pool_tokens(pool: str, decoder: Decoder, users: Sequence[Study], *, role: Role) -> Stage:
    """Build the asset for one decoder of a pool, and for the studies that use it."""

    @stage(
        key=decoder_key(pool, decoder, tokens_asset(role)),
        campaign=pool,
        ins={
            "raw_corpus": dg.AssetIn(pool_key(pool, "raw_corpus")),
            "tokenizer": dg.AssetIn(decoder_key(pool, decoder, f"{role}_tokenizer")),
        },
        partitions=source_partitions(pool),
        payers=users,
        kinds={"huggingface", "parquet"},
    )
    def pool_tokens(step: Step) -> Draft:
        """`tokens.parquet`: the tokens that reading a row takes, by `row_id`.

        Of a text they are its own and the end of text. The base model's also has what training on a
        conversation computes on, how much of its answers fits, and whether its template refuses it;
        methods read conversations as texts, so the selector's has not.
        """
        columns = ["row_id", "text", *(["turns"] if role == "base" else [])]
        folder = step.one("tokenizer")
        tokenizer = step.once("tokenizer", lambda: load_tokenizer(folder.path("tokenizer")))
        longest = read_shape(folder).sequence_length
        pieces = step.one("raw_corpus").pieces("rows.parquet", columns)
        counted = pa.concat_tables(counted_rows(rows, tokenizer, longest) for rows in pieces)
        return Draft(
            files={"tokens.parquet": counted},
            rows=counted.num_rows,
            facts={"tokens": int(counted["n_tokens"].to_numpy().sum()), **chat_facts(counted)},
        )

    return pool_tokens
