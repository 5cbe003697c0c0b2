"""Clear away runs whose process is gone: their status, the pool slots they hold, what they cost."""

import os
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterEventType, DagsterInstance

from resources.ledger import Ledger


def clear_dead_runs(instance: DagsterInstance, ledger: Ledger) -> tuple[list[str], int]:
    """Fail dead runs, free the pool slots of finished ones and close their ledger entries as lost.

    A killed process says nothing: its run stays `STARTED`, and as long as it seems to hold the
    `gpu` pool every later step waits for it.

    Returns
    -------
    list of str
        Runs found dead.
    int
        Ledger entries closed as lost.
    """
    dead = fail_dead_runs(instance)
    free_slots_of_finished_runs(instance)
    return dead, settle_finished_runs(instance, ledger)


def free_slots_of_finished_runs(instance: DagsterInstance) -> None:
    """Free the pool slots that a finished run still holds."""
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return
    for run_id in storage.get_concurrency_run_ids():
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            storage.free_concurrency_slots_for_run(run_id)


def fail_dead_runs(instance: DagsterInstance) -> list[str]:
    """Mark as failed the started runs whose process is gone; returns their ids.

    Only for the launcher whose processes all live on this machine. A process number that another
    process has taken over counts as alive: a run is rather left alone than failed by mistake.
    """
    if not isinstance(instance.run_launcher, dg.DefaultRunLauncher):
        return []
    dead = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        pids = _processes(instance, run.run_id)
        if not pids or any(_is_alive(pid) for pid in pids):
            continue
        # A run that ended between the two looks has said so before its process went.
        again = instance.get_run_by_id(run.run_id)
        if again is not None and not again.is_finished:
            instance.report_run_failed(again, f"The run's process ({min(pids)}) is gone.")
            dead.append(run.run_id)
    return dead


def settle_finished_runs(instance: DagsterInstance, ledger: Ledger) -> int:
    """Close the open spend entries of all finished runs as lost; returns how many there were."""
    open_entries = ledger.query("SELECT DISTINCT run_id FROM spend WHERE state = 'running'")
    lost = 0
    for entry in open_entries:
        run = instance.get_run_by_id(entry["run_id"])
        if run is not None and run.is_finished:
            ended = instance.get_run_stats(run.run_id).end_time
            ended_at = datetime.fromtimestamp(ended, UTC) if ended else None
            lost += ledger.record_loss(run_id=run.run_id, ended_at=ended_at)
    return lost


def _processes(instance: DagsterInstance, run_id: str) -> set[int]:
    """Return the processes that said they execute the run."""
    pids = set()
    for entry in instance.all_logs(run_id, of_type=DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event is not None else None
        if pid is not None and str(pid.value).isdigit():
            pids.add(int(str(pid.value)))
    return pids


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
