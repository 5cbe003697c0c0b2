"""Clear away runs whose process is gone: their status, the pool slots they hold, what they cost."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterEventType, DagsterInstance

from resources.ledger.spending import Spending
from resources.processes import is_alive, is_this_host, this_process

PROCESS_TAG = "selection/process"
"""Number of the process that executes a run, known from the moment that the run is created."""

STARTED_TAG = "selection/process_started"
"""When it started, in ticks after the boot: another process may take its number over."""

HOST_TAG = "selection/host"
"""Where its number is one: elsewhere it means another process, or none."""

SILENT_SECONDS = 600.0
"""A run whose process nobody here can see is given up when it has said nothing for so long."""

UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def process_tags() -> dict[str, str]:
    """Tags of a run that this process executes."""
    process = this_process()
    started = {STARTED_TAG: str(process.started)} if process.started else {}
    return {PROCESS_TAG: str(process.pid), HOST_TAG: process.host} | started


def clear_dead_runs(instance: DagsterInstance, spending: Spending) -> tuple[list[str], int]:
    """Fail dead runs, free the pool slots of finished ones and close their reservations as lost.

    A killed process says nothing: its run stays `STARTED`, and as long as it seems to hold the
    `gpu` pool every later step waits for it.

    Returns
    -------
    list of str
        Runs found dead.
    int
        Reservations closed as lost.
    """
    held = {spend.run_id for spend in spending.held()}
    dead = fail_dead_runs(instance, held)
    free_slots_of_finished_runs(instance, held)
    return dead, settle_finished_runs(instance, spending)


def free_slots_of_finished_runs(instance: DagsterInstance, held: Collection[str]) -> None:
    """Free the pool slots that a finished run still has, unless a step of it is still at work.

    Parameters
    ----------
    held : runs of which a living process holds a reservation.
    """
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return
    for run_id in storage.get_concurrency_run_ids():
        run = instance.get_run_by_id(run_id)
        if run_id not in held and (run is None or run.is_finished):
            storage.free_concurrency_slots_for_run(run_id)


def fail_dead_runs(instance: DagsterInstance, held: Collection[str]) -> list[str]:
    """Mark as failed the unfinished runs whose process is gone; returns their ids.

    Only for the launcher whose processes all live on this machine. A process number that another
    process has taken over counts as alive where the run does not say when its own has started, and
    a run that names no process waits for one: a run is rather left alone than failed by mistake.
    So is one of another container, until it has been silent for `SILENT_SECONDS`, and one whose
    step outlives it, until that ends too.

    Parameters
    ----------
    held : runs of which a living process, or one that cannot be seen, holds a reservation.
    """
    if not isinstance(instance.run_launcher, dg.DefaultRunLauncher):
        return []
    dead = []
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        pids = _processes(instance, run)
        if not pids or run.run_id in held or _may_live(instance, run, pids):
            continue
        # A run that ended between the two looks has said so before its process went.
        again = instance.get_run_by_id(run.run_id)
        if again is not None and not again.is_finished:
            instance.report_run_failed(again, f"The run's process ({min(pids)}) is gone.")
            dead.append(run.run_id)
    return dead


def _may_live(instance: DagsterInstance, run: dg.DagsterRun, pids: dict[int, int | None]) -> bool:
    host = _own_tags(run).get(HOST_TAG, "")
    if host and not is_this_host(host):
        [record] = instance.get_run_records(dg.RunsFilter(run_ids=[run.run_id]))
        silent = datetime.now(UTC) - record.update_timestamp.replace(tzinfo=UTC)
        return silent.total_seconds() < SILENT_SECONDS
    return any(is_alive(pid, started) for pid, started in pids.items())


def settle_finished_runs(instance: DagsterInstance, spending: Spending) -> int:
    """Close what finished runs have left reserved, and what nobody holds any more, as losses.

    Returns how many reservations that were. What a living process of this host holds stays: a run
    may be marked as cancelled while its step goes on. A run that this instance does not know, such
    as one of another Dagster home, is over when its lease is.
    """
    lost = 0
    for run_id in spending.open_runs():
        run = instance.get_run_by_id(run_id)
        if run is not None and run.is_finished:
            ended = instance.get_run_stats(run.run_id).end_time
            ended_at = datetime.fromtimestamp(ended, UTC) if ended else None
            lost += spending.lose(run_id=run.run_id, ended_at=ended_at)
    return lost + spending.lose_expired()


def _own_tags(run: dg.DagsterRun) -> Mapping[str, str]:
    """Tags that say who executes the run: a re-execution inherits those of its parent."""
    return {} if run.parent_run_id else run.tags


def _processes(instance: DagsterInstance, run: dg.DagsterRun) -> dict[int, int | None]:
    """Return the processes that execute the run, and when each started where that is known."""
    tags = _own_tags(run)
    tag, started = tags.get(PROCESS_TAG, ""), tags.get(STARTED_TAG, "")
    pids: dict[int, int | None] = {}
    if tag.isdigit():
        pids[int(tag)] = int(started) if started.isdigit() else None
    for entry in instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event is not None else None
        if pid is not None and str(pid.value).isdigit():
            pids.setdefault(int(str(pid.value)))
    return pids
