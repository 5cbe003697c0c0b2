"""Records in the ledger what was lost with a run that failed, was cancelled, or just died.

Both sensors run from the start: they spend nothing.
"""

import dagster as dg

from resources.dead_runs import clear_dead_runs
from resources.ledger.database import LedgerBusy
from resources.ledger.loss import LedgerLost
from resources.workspace import Workspace


@dg.run_failure_sensor(
    name="record_failed_runs",
    # Runs of the command line belong to no code location, and they too may fail.
    monitor_all_code_locations=True,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Settles the reservations of a failed run as recorded losses.",
)
def record_failed_runs(
    context: dg.RunFailureSensorContext, workspace: Workspace
) -> dg.SkipReason | None:
    """Close what a failed run left open, at once."""
    try:
        lost = workspace.ledger.spending.lose(run_id=context.dagster_run.run_id)
    except LedgerLost as error:
        # Once there is a ledger again, `settle_dead_runs` finds what this run has left in it.
        return dg.SkipReason(str(error))
    if lost:
        context.log.warning(
            "%d reservations of run %s settled as lost", lost, context.dagster_run.run_id
        )
    return None


@dg.sensor(
    name="settle_dead_runs",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Fails runs whose process is gone; settles the reservations of finished runs, and"
    " those whose lease has run out, as losses.",
)
def settle_dead_runs(context: dg.SensorEvaluationContext, workspace: Workspace) -> dg.SkipReason:
    """Settle what the failure sensor cannot see.

    That is: a killed `selection run`, or a run of a code server that was killed with it (the
    default launcher has no health check, so that run monitoring leaves both `STARTED` for ever);
    a cancelled run; a failure while no daemon was there to see it; an attempt that died before
    its retry succeeded. It looks at the state of things and not at events, so nothing is missed.
    """
    try:
        failed, lost = clear_dead_runs(context.instance, workspace.ledger.spending)
    except (LedgerBusy, LedgerLost) as error:
        return dg.SkipReason(str(error))
    if failed or lost:
        context.log.warning(
            "runs found dead: %d; reservations settled as lost: %d", len(failed), lost
        )
    return dg.SkipReason(f"runs found dead: {len(failed)}; reservations settled as lost: {lost}")
