"""Which steps of a study are not up to date, and which cannot be, for want of budget?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from resources.ledger.ledger import Ledger
from resources.store.artifacts import UNPARTITIONED
from selection.config.study import Study
from selection.planning.within_cap import priority
from selection_assets.planning.current import current_plan, find_current_plan
from selection_assets.refresh.work import Work, bring_together
from selection_assets.shared.pool_sources import PoolSources
from selection_assets.stage.inputs import asset_key, may_lack, read_by
from selection_assets.stage.keys import FULL_DATA, arm_key, arm_of, pool_key
from selection_assets.stage.stage import Stage


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

    def add(self, refused: Mapping[tuple[str, str], str]) -> None:
        """Note what was not admitted, and why."""
        self.steps |= refused.keys()
        self.messages += refused.values()


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
    *,
    arm: str | None = None,
) -> list[Work]:
    """Bring the stale partitions of a level together in few runs; the rest is as below."""
    stale = stale_partitions(level, sources, study, ledger, refused, arm=arm)
    return list(bring_together(stale, {stage.name for stage in level if stage.over_sources}))


def stale_partitions(
    stages: Sequence[Stage],
    sources: PoolSources,
    study: Study,
    ledger: Ledger,
    refused: Refused | None = None,
    *,
    arm: str | None = None,
) -> dict[str, list[str]]:
    """Find what of some stages is not up to date, as things are now: by asset.

    What needs something refused is left out, and added to it.

    Parameters
    ----------
    sources : of the study's pool.
    arm : the one that is wanted, as a partition key; None for all.
    """
    corpus = pool_key(study.pool, "raw_corpus")
    current = ledger.current_identities()
    versions = _without_former_sources(
        ledger.current_data_versions(), corpus.to_user_string(), sources
    )
    stale: dict[str, list[str]] = {}
    plan = find_current_plan(study, ledger) if any(stage.serves for stage in stages) else None
    for stage in stages:
        if not _is_wanted(stage, study, plan, arm):
            continue
        reads_files = stage.key == corpus
        partitions = sources.readable if reads_files else _partitions(stage, sources, study, ledger)
        if arm is not None and stage.over_arms:
            partitions = [key for key in partitions if key == arm]
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
                stale.setdefault(asset, []).append(partition)
    return stale


def _is_wanted(stage: Stage, study: Study, plan: Mapping[str, Any] | None, arm: str | None) -> bool:
    """Whether a stage serves all methods, or one with a wanted arm that the plan can afford."""
    if plan is None or not stage.serves:
        return True
    feasible = {one["method"] for one in plan["arms"] if one["feasible"]}
    if arm is not None:
        feasible &= {arm_of(arm)[0]}
    return bool(stage.serves[study.name] & feasible)


def _without_former_sources(
    versions: Mapping[tuple[str, str], str], corpus: str, sources: PoolSources
) -> dict[str, dict[str, str]]:
    """By asset and partition, without what was made of sources that are gone or have failed."""
    read_once = {key for asset, key in versions if asset == corpus}
    former = (read_once | sources.left_out) - set(sources.partitions)
    by_asset: dict[str, dict[str, str]] = {}
    for (asset, key), version in versions.items():
        if key not in former:
            by_asset.setdefault(asset, {})[key] = version
    return by_asset


def _partitions(stage: Stage, sources: PoolSources, study: Study, ledger: Ledger) -> list[str]:
    definition = stage.partitions
    if definition is None:
        return [UNPARTITIONED]
    if stage.over_sources:
        return sources.partitions
    if stage.over_arms:
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
        if may_lack(asset_in):
            continue
        asset = asset_key(asset_in).to_user_string()
        keys = {partition, UNPARTITIONED} if read is None else set(read[name])
        if any((asset, key) in refused.steps for key in keys):
            return True
    return False


def _inputs(
    stage: Stage, partition: str, versions: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]] | None:
    """Versions of what a partition would read now, or None when an input is missing."""
    read: dict[str, dict[str, str]] = {}
    for name in stage.inputs_read(partition):
        asset_in = stage.ins[name]
        asset = asset_key(asset_in).to_user_string()
        found = read_by(partition, asset_in, versions.get(asset, {}))
        if not found and not may_lack(asset_in):
            return None
        read[name] = found
    return read
