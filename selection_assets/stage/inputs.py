"""How stages of a study refer to what they read, and what of it one partition reads."""

from collections.abc import Mapping
from typing import TypeVar

import dagster as dg

from resources.io_manager import MAY_LACK_PARTITIONS
from resources.store.artifacts import UNPARTITIONED
from selection.config.decoders import Decoder
from selection.config.study import Study
from selection_assets.stage.keys import (
    POOL_TOKENS,
    decoder_key,
    embedder_key,
    pool_key,
    study_key,
)

T = TypeVar("T")


def whole_pool(study: Study) -> dg.AssetIn:
    """Every source's rows."""
    return _every(source_rows(study))


def whole_pool_embeddings(study: Study) -> dg.AssetIn:
    """Every source's vectors."""
    return _every(source_embeddings(study))


def whole_pool_tokens(study: Study, decoder: Decoder, name: str) -> dg.AssetIn:
    """How many tokens a decoder finds in every source's rows."""
    return _every(decoder_part(study, decoder, name))


def pool_costs(study: Study) -> dict[str, dg.AssetIn]:
    """How many tokens every source's rows are, under `POOL_TOKENS`.

    By the base model; by the embedder, where there is no model.
    """
    if study.base_model is not None:
        return {POOL_TOKENS: whole_pool_tokens(study, study.base_model, POOL_TOKENS)}
    key = embedder_key(study.pool, study.embedder.name, "embedder_tokens")
    return {POOL_TOKENS: _every(dg.AssetIn(key))}


def source_rows(study: Study) -> dg.AssetIn:
    """The rows of the source at hand."""
    return dg.AssetIn(pool_key(study.pool, "raw_corpus"))


def source_embeddings(study: Study) -> dg.AssetIn:
    """The vectors of the source at hand."""
    return dg.AssetIn(embedder_key(study.pool, study.embedder.name, "corpus_embeddings"))


def embedder_model(study: Study) -> dg.AssetIn:
    """The study's embedding model."""
    return dg.AssetIn(embedder_key(study.pool, study.embedder.name, "embedder"))


def decoder_part(study: Study, decoder: Decoder | None, name: str) -> dg.AssetIn:
    """The tokenizer or the checkpoint of the study's base or selector."""
    assert decoder is not None, "a study without a selector has nothing that reads one"
    return dg.AssetIn(decoder_key(study.pool, decoder, name))


def base_parts(study: Study) -> dict[str, dg.AssetIn]:
    """The base model's checkpoint and tokenizer, under these names."""
    names = ("base_checkpoint", "base_tokenizer")
    return {name: decoder_part(study, study.base_model, name) for name in names}


def of_study(study: Study, name: str) -> dg.AssetIn:
    """An asset of the study: its one version, or that of the partition at hand."""
    return dg.AssetIn(study_key(study, name))


def every_source_of(study: Study, name: str) -> dg.AssetIn:
    """An asset of the study that has a partition a source: all of them."""
    return _every(of_study(study, name))


def all_of(study: Study, name: str) -> dg.AssetIn:
    """Whatever partitions of an asset exist: arms may be infeasible, methods unused."""
    return dg.AssetIn(
        study_key(study, name),
        partition_mapping=dg.AllPartitionMapping(),
        metadata={MAY_LACK_PARTITIONS: True},
    )


def one_of(study: Study, name: str, partition: str) -> dg.AssetIn:
    """One named partition of an asset."""
    return dg.AssetIn(
        study_key(study, name),
        partition_mapping=dg.SpecificPartitionsPartitionMapping([partition]),
    )


def asset_key(asset_in: dg.AssetIn) -> dg.AssetKey:
    """Key of the asset that an input names."""
    assert isinstance(asset_in.key, dg.AssetKey)
    return asset_in.key


def may_lack(asset_in: dg.AssetIn) -> bool:
    """Whether an input is read with whatever partitions of it exist."""
    return bool((asset_in.metadata or {}).get(MAY_LACK_PARTITIONS))


def read_by(partition: str, asset_in: dg.AssetIn, found: Mapping[str, T]) -> dict[str, T]:
    """Of what there is of an input, by partition: what one partition of its reader reads."""
    mapping = asset_in.partition_mapping
    if isinstance(mapping, dg.SpecificPartitionsPartitionMapping):
        return {key: one for key, one in found.items() if key in mapping.partition_keys}
    if mapping is None and UNPARTITIONED not in found:
        return {partition: found[partition]} if partition in found else {}
    return dict(found)


def _every(source: dg.AssetIn) -> dg.AssetIn:
    """All partitions of what an input names."""
    return dg.AssetIn(source.key, partition_mapping=dg.AllPartitionMapping())
