"""How assets, partitions and groups are named."""

import dagster as dg

from selection.config.decoders import Decoder
from selection.config.study import Study


def pool_key(pool: str, name: str) -> dg.AssetKey:
    """Assets that every study of a pool shares."""
    return dg.AssetKey([pool, name])


def embedder_key(pool: str, embedder: str, name: str) -> dg.AssetKey:
    """Assets of one embedder over one pool, shared by the studies that name both."""
    return dg.AssetKey([pool, embedder, name])


def decoder_key(pool: str, decoder: Decoder, name: str) -> dg.AssetKey:
    """Assets of one decoder over one pool, shared by the studies that name both."""
    return dg.AssetKey([pool, decoder.name, name])


def study_key(study: Study, name: str) -> dg.AssetKey:
    """Assets of one study."""
    return dg.AssetKey([study.name, name])


def source_partitions(pool: str) -> dg.DynamicPartitionsDefinition:
    """One partition for each source of a pool; a new source is a new partition."""
    return dg.DynamicPartitionsDefinition(name=f"{pool}_source")


def arm_partitions(study: Study) -> dg.MultiPartitionsDefinition:
    """The grid of methods and budgets."""
    return dg.MultiPartitionsDefinition(
        {
            "method": dg.StaticPartitionsDefinition(list(study.methods)),
            "budget": dg.StaticPartitionsDefinition([budget.key for budget in study.budgets]),
        }
    )


def arm_of(partition_key: str) -> tuple[str, str]:
    """(method, budget) of a partition of the grid, which joins its dimensions by name."""
    budget, method = partition_key.split("|")
    return method, budget


def arm_key(method: str, budget: str) -> str:
    """The grid's partition key of an arm."""
    return str(dg.MultiPartitionKey({"method": method, "budget": budget}))


POOL_TOKENS = "pool_tokens"
"""What a row costs: its tokens by the base model; by the embedder, where there is no model."""

FULL_DATA = "full_data"
REFERENCE_LINES = ("zero_shot", "fine_tuning_only", FULL_DATA)
"""The base untouched; fine-tuned with no warm-up; warmed up on the whole pool."""
