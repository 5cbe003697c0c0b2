"""What Dagster is told of a partition that is made: its version, and what that was made of."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
    INPUT_DATA_VERSION_TAG_PREFIX,
    INPUT_EVENT_POINTER_TAG_PREFIX,
    NULL_EVENT_POINTER,
)
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION
from dagster._core.storage.tags import get_multidimensional_partition_tag

from resources.store.artifacts import UNPARTITIONED, Artifact
from selection_assets.stage.inputs import asset_key
from selection_assets.stage.run_step import Made
from selection_assets.stage.stage import Stage

REUSED = "reused"
"""Metadata of an event for which nothing was computed."""

TOLD = dg.Output(None, metadata={SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True})
"""A step's output, when each partition's event is written: Dagster would write them all alike."""


def newest_events(stage: Stage, instance: dg.DagsterInstance) -> dict[dg.AssetKey, int | None]:
    """Where Dagster's history of each input ends, before a step reads it."""
    keys = [asset_key(asset_in) for asset_in in stage.ins.values()]
    found = {record.asset_entry.asset_key: record for record in instance.get_asset_records(keys)}
    return {
        key: found[key].asset_entry.last_materialization_storage_id if key in found else None
        for key in keys
    }


def materialization(
    stage: Stage,
    made: Made,
    key: str | None,
    newest: Mapping[dg.AssetKey, int | None],
    instance: dg.DagsterInstance,
) -> dg.AssetMaterialization:
    """Say what was made of a partition, in which version, and of which versions of its inputs.

    Parameters
    ----------
    key : of the partition, as Dagster has it; None where there are none.
    newest : what `newest_events` has found.
    """
    tags = {
        CODE_VERSION_TAG: stage.code_version,
        DATA_VERSION_TAG: made.artifact.version,
        DATA_VERSION_IS_USER_PROVIDED_TAG: "true",
    }
    for name, read in made.step.inputs.items():
        upstream = asset_key(stage.ins[name])
        at, asset = newest[upstream], upstream.to_user_string()
        tags[f"{INPUT_DATA_VERSION_TAG_PREFIX}/{asset}"] = _version_of(read)
        tags[f"{INPUT_EVENT_POINTER_TAG_PREFIX}/{asset}"] = str(at or NULL_EVENT_POINTER)
    if isinstance(key, dg.MultiPartitionKey):
        for dimension, of_it in key.keys_by_dimension.items():
            tags[get_multidimensional_partition_tag(dimension)] = of_it
    facts = made.facts if made.facts is not None else _facts_before(stage, key, instance)
    return dg.AssetMaterialization(stage.key, partition=key, metadata=facts, tags=tags)


def _version_of(read: Mapping[str, Artifact]) -> str:
    """Version of an input as Dagster computes it, of one partition or of several."""
    versions = [read[partition].version for partition in sorted(read)]
    if list(read) == [UNPARTITIONED]:
        return versions[0]
    return hashlib.sha256("".join(versions).encode()).hexdigest()


def _facts_before(stage: Stage, key: str | None, instance: dg.DagsterInstance) -> dict[str, Any]:
    """What was shown of a version that is reused, when it was made."""
    before = _last(stage, key, instance)
    return {**(before.metadata if before is not None else {}), REUSED: True}


def still_there(
    stage: Stage, keys: Iterable[str], instance: dg.DagsterInstance
) -> Iterator[dg.AssetMaterialization]:
    """Say again what there is of partitions that lie in a failed run's range, and were not asked.

    Dagster would take them for failed.
    """
    for key in keys:
        before = _last(stage, key, instance)
        if before is not None:
            yield before.with_metadata({**before.metadata, REUSED: True})


def _last(
    stage: Stage, key: str | None, instance: dg.DagsterInstance
) -> dg.AssetMaterialization | None:
    record = instance.get_latest_data_version_record(stage.key, partition_key=key)
    return record.asset_materialization if record is not None else None
