"""Bring a study up to date: materialize what is stale, and only that."""

import dagster as dg
from tqdm import tqdm

from resources.dead_runs import process_tags
from resources.ledger.ledger import Ledger
from resources.project import resolve
from resources.refused import REFUSED
from selection.config.pool import Pool
from selection.config.study import Study
from selection.corpus.sources import list_sources
from selection_assets.graph import pool_stages, study_stages
from selection_assets.refresh.staleness import Refused, Work, levels_of, stale_work, with_ancestors
from selection_assets.stage.keys import source_partitions, study_key
from selection_assets.stage.stage import Stage
from selection_assets.studies import load_pools

PLAN = "budget_plan"


class RefreshFailed(RuntimeError):
    """A run of the refresh failed; the message says which and why."""


class StoppedByCap(RefreshFailed):
    """What the cap admits has run; the message says what it has not admitted.

    Attributes
    ----------
    done : what was materialized, in order.
    """

    def __init__(self, message: str, done: list[Work]) -> None:
        super().__init__(message)
        self.done = done


def refresh(
    study: Study,
    definitions: dg.Definitions,
    ledger: Ledger,
    instance: dg.DagsterInstance,
    *,
    up_to: str | None = None,
) -> list[Work]:
    """Materialize, in this process, everything of a study that is not up to date.

    Where the cap keeps a step from starting, what does not need it runs all the same.

    Parameters
    ----------
    up_to : name of an asset of the study, such as "budget_plan"; stop when that is up to date.

    Returns
    -------
    list of Work
        What was materialized, in order; empty when nothing had changed.

    Raises
    ------
    RefreshFailed
        When a step fails or a blocking check does not pass.
    StoppedByCap
        At the end, when the cap has kept steps from starting.
    """
    pool = load_pools()[study.pool]
    register_sources(pool, instance)
    job = definitions.resolve_implicit_global_asset_job_def()
    done: list[Work] = []
    refused = Refused()
    planning, rest = _levels(study, pool, up_to)
    with tqdm([*planning, *rest], unit=" levels", desc=f"study {study.name}") as bar:
        for place, level in enumerate(bar, start=1):
            for work in stale_work(level, pool, study, ledger, refused):
                bar.set_postfix_str(describe(work))
                messages = _materialize(job, work, instance)
                if messages:
                    refused.add(work, messages)
                else:
                    done.append(work)
            if refused.messages and place == len(planning):
                break  # without a plan nothing else starts
    if refused.messages:
        raise StoppedByCap("\n".join(dict.fromkeys(refused.messages)), done)
    return done


def plan_refresh(study: Study, ledger: Ledger) -> list[Work]:
    """Return the first level of stale work, without doing it: the rest depends on its results."""
    pool = load_pools()[study.pool]
    planning, rest = _levels(study, pool)
    for level in [*planning, *rest]:
        stale = stale_work(level, pool, study, ledger)
        if stale:
            return stale
    return []


def _levels(
    study: Study, pool: Pool, up_to: str | None = None
) -> tuple[list[list[Stage]], list[list[Stage]]]:
    """Levels of the plan with what it needs, and of the rest: nothing is to be spent before it."""
    stages = [*pool_stages(pool, [study]), *study_stages(study)]
    if up_to is not None:
        stages = with_ancestors(stages, study_key(study, up_to))
    planning = with_ancestors(stages, study_key(study, PLAN))
    first = {stage.key for stage in planning}
    rest = [stage for stage in stages if stage.key not in first]
    return list(levels_of(planning)), list(levels_of(rest))


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


def _materialize(job: dg.JobDefinition, work: Work, instance: dg.DagsterInstance) -> list[str]:
    """Run some work; returns why a cap has kept it from running, or from ending.

    Raises
    ------
    RefreshFailed
        When it fails for any other reason.
    """
    result = job.execute_in_process(
        asset_selection=[dg.AssetKey.from_user_string(asset) for asset in work.assets],
        partition_key=work.partition,
        instance=instance,
        # A run that dies at once can then still be told from one that is about to start.
        tags=process_tags(),
        # The error below says why it failed; the traceback is in the run's log.
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )
    if result.success:
        return []
    failures = result.get_step_failure_events()
    reasons = [_reason(event) for event in failures]
    if failures and all(_is_refused(event) for event in failures):
        return reasons
    raise RefreshFailed(f"{describe(work)} failed:\n" + "\n".join(reasons))


def _is_refused(event: dg.DagsterEvent) -> bool:
    by_user = event.step_failure_data.user_failure_data
    return by_user is not None and REFUSED in by_user.metadata


def _reason(event: dg.DagsterEvent) -> str:
    """Why a step failed, without the traceback: that is in the run's log."""
    failure = event.step_failure_data
    if failure.user_failure_data is not None and failure.user_failure_data.description:
        return failure.user_failure_data.description
    if failure.error is None:
        return "no reason is known"
    return (failure.error.cause or failure.error).message.strip()
