"""Records in the ledger what was lost with a run that failed, was cancelled, or just died.

Both sensors run from the start: they spend nothing.
"""

import os

import dagster as dg
from dagster import DagsterEventType, DagsterInstance

from resources.database import LedgerBusy
from resources.ledger import Ledger
from resources.workspace import Workspace


@dg.run_failure_sensor(
    name="record_failed_runs",
    # Runs of the command line belong to no code location, and they too may fail.
    monitor_all_code_locations=True,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Closes the spend entries of a failed run as lost.",
)
def record_failed_runs(context: dg.RunFailureSensorContext, workspace: Workspace) -> None:
    """Close what a failed run left open, at once."""
    lost = workspace.ledger.record_loss(run_id=context.dagster_run.run_id)
    if lost:
        context.log.warning("%d spend entries of run %s lost", lost, context.dagster_run.run_id)


@dg.sensor(
    name="settle_dead_runs",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Fails runs whose process is gone, and closes what any finished run left open.",
)
def settle_dead_runs(context: dg.SensorEvaluationContext, workspace: Workspace) -> dg.SkipReason:
    """Settle what the failure sensor cannot see.

    That is: a killed `selection run`, or a run of a code server that was killed with it (the
    default launcher has no health check, so that run monitoring leaves both `STARTED` for ever);
    a cancelled run; a failure while no daemon was there to see it; an attempt that died before
    its retry succeeded. It looks at the state of things and not at events, so nothing is missed.
    """
    try:
        failed = fail_dead_runs(context.instance)
        lost = settle_finished_runs(context.instance, workspace.ledger)
    except LedgerBusy as error:
        return dg.SkipReason(str(error))
    if failed or lost:
        context.log.warning("runs found dead: %d; spend entries lost: %d", len(failed), lost)
    return dg.SkipReason(f"runs found dead: {len(failed)}; spend entries lost: {lost}")


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
            lost += ledger.record_loss(run_id=run.run_id)
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
