"""Bring a study up to date: find what is stale, and materialize only that."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from tqdm import tqdm

from resources.artifacts import UNPARTITIONED
from resources.io_manager import MAY_LACK_PARTITIONS
from resources.ledger import Identity, Ledger
from resources.project import resolve
from selection.config.pool import Pool
from selection.config.study import Study
from selection.corpus.sources import list_sources
from selection_assets.keys import arm_key, pool_key, source_partitions
from selection_assets.stage import Stage
from selection_assets.studies import load_pools, pool_stages, study_stages


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


class RefreshFailed(RuntimeError):
    """A run of the refresh failed; the message says which and why."""


def refresh(
    study: Study, definitions: dg.Definitions, ledger: Ledger, instance: dg.DagsterInstance
) -> list[Work]:
    """Materialize, in this process, everything of a study that is not up to date.

    Returns
    -------
    list of Work
        What was materialized, in order; empty when nothing had changed.

    Raises
    ------
    RefreshFailed
        When a step fails or a blocking check does not pass.
    """
    pool = load_pools()[study.pool]
    register_sources(pool, instance)
    job = definitions.resolve_implicit_global_asset_job_def()
    done: list[Work] = []
    levels = list(_levels([*pool_stages(pool, [study]), *study_stages(study)]))
    with tqdm(levels, unit=" levels", desc=f"study {study.name}") as bar:
        for level in bar:
            for work in _stale(level, pool, study, ledger):
                bar.set_postfix_str(describe(work))
                _materialize(job, work, instance)
                done.append(work)
    return done


def plan_refresh(study: Study, ledger: Ledger) -> list[Work]:
    """Return the first level of stale work, without doing it: the rest depends on its results."""
    pool = load_pools()[study.pool]
    for level in _levels([*pool_stages(pool, [study]), *study_stages(study)]):
        stale = _stale(level, pool, study, ledger)
        if stale:
            return stale
    return []


def describe(work: Work) -> str:
    """One short line for a progress bar."""
    names = ", ".join(asset.rpartition("/")[2] for asset in work.assets)
    return f"{names} [{work.partition}]" if work.partition else names


def register_sources(pool: Pool, instance: dg.DagsterInstance) -> None:
    """Make the pool's partitions those of its sources as they are now.

    A source that is gone loses its partition, so that studies no longer read its rows; what was
    made of it stays in the store and in the ledger.
    """
    name = source_partitions(pool.name).name
    assert name is not None
    known = set(instance.get_dynamic_partitions(name))
    sources = list_sources(pool, resolve)
    instance.add_dynamic_partitions(name, [source for source in sources if source not in known])
    for gone in sorted(known - set(sources)):
        tqdm.write(f"{gone} is no longer a source of {pool.name}: its partition is removed")
        instance.delete_dynamic_partition(name, gone)


def _levels(stages: Sequence[Stage]) -> Iterator[list[Stage]]:
    """Stages whose inputs all lie in earlier levels."""
    waiting = {stage.asset.key: stage for stage in stages}
    while waiting:
        level = [
            stage
            for stage in waiting.values()
            if not any(asset_in.key in waiting for asset_in in stage.ins.values())
        ]
        assert level, "the asset graph has a cycle"
        yield level
        for stage in level:
            del waiting[stage.asset.key]


def _stale(level: Sequence[Stage], pool: Pool, study: Study, ledger: Ledger) -> list[Work]:
    """Group the stale partitions of a level: one run a partition, however many stages."""
    current = ledger.current_identities()
    versions = _without_former_sources(ledger.current_data_versions(), pool)
    by_partition: dict[str | None, list[str]] = {}
    for stage in level:
        for partition in _partitions(stage, pool, study, ledger):
            identity = _identity(stage, partition, versions)
            asset = stage.asset.key.to_user_string()
            # Without its inputs it has no identity, and running it says which one is missing.
            if identity is None or current.get((asset, partition)) != identity:
                key = None if partition == UNPARTITIONED else partition
                by_partition.setdefault(key, []).append(asset)
    return [Work(partition, tuple(assets)) for partition, assets in by_partition.items()]


def _without_former_sources(
    versions: Mapping[tuple[str, str], str], pool: Pool
) -> dict[tuple[str, str], str]:
    """Leave out what was made of sources that the pool no longer has."""
    corpus = pool_key(pool.name, "raw_corpus").to_user_string()
    former = {key for asset, key in versions if asset == corpus} - set(list_sources(pool, resolve))
    return {(asset, key): v for (asset, key), v in versions.items() if key not in former}


def _partitions(stage: Stage, pool: Pool, study: Study, ledger: Ledger) -> list[str]:
    definition = stage.asset.partitions_def
    if definition is None:
        return [UNPARTITIONED]
    if isinstance(definition, dg.DynamicPartitionsDefinition):
        return sorted(list_sources(pool, resolve))
    if isinstance(definition, dg.MultiPartitionsDefinition):
        plan = ledger.current(f"{study.name}/budget_plan", UNPARTITIONED)
        assert plan is not None, "arms come after their plan"
        arms = plan.json("plan.json")["arms"]
        return [arm_key(arm["method"], arm["budget"]) for arm in arms if arm["feasible"]]
    return list(definition.get_partition_keys())


def _identity(
    stage: Stage, partition: str, versions: Mapping[tuple[str, str], str]
) -> Identity | None:
    """What the stage would be now, or None when an input is missing."""
    read: dict[str, dict[str, str]] = {}
    for name in stage.reads(partition):
        asset_in = stage.ins[name]
        assert isinstance(asset_in.key, dg.AssetKey)
        asset = asset_in.key.to_user_string()
        found = {key: version for (of, key), version in versions.items() if of == asset}
        mapping = asset_in.partition_mapping
        if isinstance(mapping, dg.SpecificPartitionsPartitionMapping):
            found = {key: v for key, v in found.items() if key in mapping.partition_keys}
        elif mapping is None and UNPARTITIONED not in found:
            found = {key: v for key, v in found.items() if key == partition}
        if not found and not (asset_in.metadata or {}).get(MAY_LACK_PARTITIONS):
            return None
        read[name] = found
    return stage.identity(partition, read)


def _materialize(job: dg.JobDefinition, work: Work, instance: dg.DagsterInstance) -> None:
    result = job.execute_in_process(
        asset_selection=[dg.AssetKey.from_user_string(asset) for asset in work.assets],
        partition_key=work.partition,
        instance=instance,
        # The error below says why it failed; the traceback is in the run's log.
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )
    if result.success:
        return
    reasons = [_reason(event) for event in result.get_step_failure_events()]
    raise RefreshFailed(f"{describe(work)} failed:\n" + "\n".join(reasons))


def _reason(event: dg.DagsterEvent) -> str:
    """Why a step failed, without the traceback: that is in the run's log."""
    failure = event.step_failure_data
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return failure.user_failure_data.description
    if failure.error is None:
        return "no reason is known"
    return (failure.error.cause or failure.error).message.strip()
