"""Which steps of a study are not up to date, and which cannot be, for want of budget?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from resources.io_manager import MAY_LACK_PARTITIONS
from resources.ledger.ledger import Ledger
from resources.store.artifacts import UNPARTITIONED
from selection.config.study import Study
from selection.planning.within_cap import priority
from selection_assets.planning.current import current_plan, find_current_plan
from selection_assets.shared.pool_sources import PoolSources
from selection_assets.stage.inputs import asset_key
from selection_assets.stage.keys import FULL_DATA, arm_key, pool_key
from selection_assets.stage.stage import Stage


@dataclass(frozen=True)
class Work:
    """Stages to materialize together for one partition.

    Attributes
    ----------
    partition : of all of them, or None.
    assets : as `prefix/name`, upstream first.
    """

    partition: str | None
    assets: tuple[str, ...]


@dataclass
class Refused:
    """What a cap has kept from running, and what cannot run without it.

    Attributes
    ----------
    steps : (asset, partition).
    messages : why.
    """

    steps: set[tuple[str, str]] = field(default_factory=set)
    messages: list[str] = field(default_factory=list)

    def add(self, work: Work, messages: list[str]) -> None:
        """Note that some work was not admitted."""
        self.steps |= {(asset, work.partition or UNPARTITIONED) for asset in work.assets}
        self.messages += messages


def with_ancestors(stages: Sequence[Stage], last: Sequence[dg.AssetKey]) -> list[Stage]:
    """Return the stages that some of them need, themselves included."""
    by_key = {stage.key: stage for stage in stages}
    needed, waiting = set(), list(last)
    while waiting:
        key = waiting.pop()
        needed.add(key)
        waiting += [asset_key(asset_in) for asset_in in by_key[key].ins.values()]
    return [stage for stage in stages if stage.key in needed]


def levels_of(stages: Sequence[Stage]) -> Iterator[list[Stage]]:
    """Stages whose inputs all lie in earlier levels."""
    waiting = {stage.key: stage for stage in stages}
    while waiting:
        level = [
            stage
            for stage in waiting.values()
            if not any(asset_in.key in waiting for asset_in in stage.ins.values())
        ]
        assert level, "the asset graph has a cycle"
        yield level
        for stage in level:
            del waiting[stage.key]


def stale_work(
    level: Sequence[Stage],
    sources: PoolSources,
    study: Study,
    ledger: Ledger,
    refused: Refused | None = None,
) -> list[Work]:
    """Group the stale partitions of a level: one run a partition, however many stages.

    What needs something refused is left out, and added to it.

    Parameters
    ----------
    sources : of the study's pool.
    """
    corpus = pool_key(study.pool, "raw_corpus")
    current = ledger.current_identities()
    versions = _without_former_sources(
        ledger.current_data_versions(), corpus.to_user_string(), sources
    )
    by_partition: dict[str | None, list[str]] = {}
    plan = find_current_plan(study, ledger) if any(stage.serves for stage in level) else None
    for stage in level:
        if not _is_wanted(stage, study, plan):
            continue
        reads_files = stage.key == corpus
        partitions = sources.readable if reads_files else _partitions(stage, sources, study, ledger)
        for partition in partitions:
            read = _inputs(stage, partition, versions)
            asset = stage.name
            if refused is not None and _needs(stage, partition, read, refused):
                refused.steps.add((asset, partition))
                continue
            # Without its inputs it has no identity, and running it says which one is missing.
            outside = sources.outside(partition) if reads_files else None
            identity = None if read is None else stage.identity(partition, read, outside)
            if identity is None or current.get((asset, partition)) != identity:
                key = None if partition == UNPARTITIONED else partition
                by_partition.setdefault(key, []).append(asset)
    return [Work(partition, tuple(assets)) for partition, assets in by_partition.items()]


def _is_wanted(stage: Stage, study: Study, plan: Mapping[str, Any] | None) -> bool:
    """Whether a stage serves all methods, or one with an arm that the plan can afford."""
    if plan is None or not stage.serves:
        return True
    feasible = {arm["method"] for arm in plan["arms"] if arm["feasible"]}
    return bool(stage.serves[study.name] & feasible)


def _without_former_sources(
    versions: Mapping[tuple[str, str], str], corpus: str, sources: PoolSources
) -> dict[tuple[str, str], str]:
    """Leave out what was made of sources that the pool no longer has, or that have failed."""
    read_once = {key for asset, key in versions if asset == corpus}
    former = (read_once | sources.left_out) - set(sources.partitions)
    return {(asset, key): v for (asset, key), v in versions.items() if key not in former}


def _partitions(stage: Stage, sources: PoolSources, study: Study, ledger: Ledger) -> list[str]:
    definition = stage.partitions
    if definition is None:
        return [UNPARTITIONED]
    if isinstance(definition, dg.DynamicPartitionsDefinition):
        return sources.partitions
    if isinstance(definition, dg.MultiPartitionsDefinition):
        arms = current_plan(study, ledger)["arms"]
        arms.sort(key=lambda arm: priority(study, arm["method"], arm["budget"]))
        return [arm_key(arm["method"], arm["budget"]) for arm in arms if arm["feasible"]]
    keys = list(definition.get_partition_keys())
    if stage.key.path[-1] == "reference_report":
        plan = current_plan(study, ledger)
        return [key for key in keys if key != FULL_DATA or plan["full_data"]["feasible"]]
    return keys


def _needs(
    stage: Stage, partition: str, read: Mapping[str, Mapping[str, str]] | None, refused: Refused
) -> bool:
    """Whether a partition cannot do without something that was refused."""
    for name in stage.inputs_read(partition):
        asset_in = stage.ins[name]
        if (asset_in.metadata or {}).get(MAY_LACK_PARTITIONS):
            continue
        asset = asset_key(asset_in).to_user_string()
        keys = {partition, UNPARTITIONED} if read is None else set(read[name])
        if any((asset, key) in refused.steps for key in keys):
            return True
    return False


def _inputs(
    stage: Stage, partition: str, versions: Mapping[tuple[str, str], str]
) -> dict[str, dict[str, str]] | None:
    """Versions of what a partition would read now, or None when an input is missing."""
    read: dict[str, dict[str, str]] = {}
    for name in stage.inputs_read(partition):
        asset_in = stage.ins[name]
        asset = asset_key(asset_in).to_user_string()
        found = {key: version for (of, key), version in versions.items() if of == asset}
        mapping = asset_in.partition_mapping
        if isinstance(mapping, dg.SpecificPartitionsPartitionMapping):
            found = {key: v for key, v in found.items() if key in mapping.partition_keys}
        elif mapping is None and UNPARTITIONED not in found:
            found = {key: v for key, v in found.items() if key == partition}
        if not found and not (asset_in.metadata or {}).get(MAY_LACK_PARTITIONS):
            return None
        read[name] = found
    return read
