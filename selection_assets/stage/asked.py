"""Which partitions does a run make, and by which of its tags is that said?"""

import json
from collections.abc import Sequence

import dagster as dg
from dagster._core.storage.tags import (
    ASSET_PARTITION_RANGE_END_TAG,
    ASSET_PARTITION_RANGE_START_TAG,
)

FORCE_TAG = "selection/force"
"""A run with this tag repeats work that is already done."""

PARTITIONS_TAG = "selection/partitions"
"""JSON list of the partitions that a run makes, of those in its range; all of them without it."""

MOST_PARTITIONS = 250
"""Of one run, so that its log, and what waits for it, stay in bounds."""


def range_tags(partitions: Sequence[str], known: Sequence[str]) -> dict[str, str]:
    """Tags of a run that makes some partitions; to Dagster it is one of a range.

    Parameters
    ----------
    partitions : to be made, at least one.
    known : all partitions, in Dagster's order.
    """
    place_of = {partition: place for place, partition in enumerate(known)}
    places = [place_of[partition] for partition in partitions]
    return {
        ASSET_PARTITION_RANGE_START_TAG: known[min(places)],
        ASSET_PARTITION_RANGE_END_TAG: known[max(places)],
        PARTITIONS_TAG: json.dumps(list(partitions)),
    }


def asked_partitions(context: dg.AssetExecutionContext) -> list[str]:
    """Partitions that a run makes, as Dagster has them."""
    if context.has_partition_key:
        return [context.partition_key]
    if PARTITIONS_TAG not in context.run.tags:
        return list(context.partition_keys)
    asked = set(json.loads(context.run.tags[PARTITIONS_TAG]))
    return [key for key in context.partition_keys if key in asked]


def passed_over(context: dg.AssetExecutionContext) -> list[str]:
    """Partitions that lie in a run's range, and that it does not make."""
    if context.has_partition_key:
        return []
    asked = set(asked_partitions(context))
    return [key for key in context.partition_keys if key not in asked]
