"""Run one partition of a stage: reuse, or reserve, compute, measure, stage and hand over."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime

import dagster as dg

from resources.ledger.ledger import Pending
from resources.ledger.reservation import Reservation
from resources.ledger.spends import Cost
from resources.orphaned import stop_with_the_run
from resources.refused import refused
from resources.store.artifacts import UNPARTITIONED, Artifact, CorruptArtifact
from selection.budget.meter import BudgetExhausted
from selection_assets.stage.metadata import metadata
from selection_assets.stage.stage import Stage
from selection_assets.stage.step import Step
from selection_assets.stage.step_cost import plan_error, reserve, stopped_at

FORCE_TAG = "selection/force"
"""A run with this tag repeats work that is already done."""


def run_step(
    stage: Stage,
    context: dg.AssetExecutionContext,
    inputs: Mapping[str, Mapping[str, Artifact]],
) -> dg.MaterializeResult:
    """Materialize one partition, unless the same work is already published.

    A costly stage starts only when what it may cost is reserved. A kill leaves the reservation
    open, for the sensor to close; anything milder closes it here.

    Parameters
    ----------
    inputs : input name to (partition to what was loaded of it).
    """
    ledger = context.resources.workspace.ledger
    partition = str(context.partition_key) if context.has_partition_key else UNPARTITIONED
    versions = {
        name: {key: artifact.version for key, artifact in found.items()}
        for name, found in inputs.items()
    }
    outside = stage.outside(partition)
    step = Step(context, stage.identity(partition, versions, outside), inputs)
    published = ledger.find(step.identity)
    forced = FORCE_TAG in context.run.tags
    if published is not None and not forced and _is_whole(published, context):
        return _reuse(stage, context, published)
    try:
        return _make(stage, step, outside)
    finally:
        step.leave_work()


def _make(stage: Stage, step: Step, outside: Mapping[str, str]) -> dg.MaterializeResult:
    if stage.finds is not None:
        step.found = stage.finds(step)
    if not stage.costly:
        return _compute(stage, step, outside, None)
    step.context.log.info("device: %s", step.device.describe())
    stop_with_the_run()
    reservation = reserve(stage, step)
    try:
        with reservation:
            step.meter = reservation
            return _compute(stage, step, outside, reservation)
    except BudgetExhausted as error:
        raise refused(stopped_at(reservation, step) or str(error)) from error
    except BaseException:
        if said := reservation.lose():
            step.context.log.warning(said)
        raise


def _is_whole(published: Artifact, context: dg.AssetExecutionContext) -> bool:
    """Whether a published version can be reused; one that is damaged is made again."""
    try:
        published.verify(full=False)
    except CorruptArtifact as error:
        context.log.warning("%s; it is made again", error)
        return False
    return True


def _compute(
    stage: Stage, step: Step, outside: Mapping[str, str], reservation: Reservation | None
) -> dg.MaterializeResult:
    store, device = step.workspace.store, step.device
    started_at, clock = datetime.now(UTC), time.monotonic()
    draft = stage.function(step)
    now = stage.outside(step.partition)
    changed = [name for name in now if now[name] != outside.get(name)]
    if changed:
        # What was read is neither what lay there before nor what lies there now.
        raise dg.Failure(
            f"{', '.join(changed)} changed while it was read: nothing is published; materialize it"
            " again when it is still",
            allow_retries=False,
        )
    if stage.costly:
        device.synchronise()
    seconds = time.monotonic() - clock
    held = reservation.begun.seconds if reservation is not None else 0.0

    assert {check.name for check in draft.checks} == set(stage.checks), "checks not as declared"
    cost = Cost(
        draft.flops,
        draft.accountant,
        device.name if stage.costly else "none",
        held,
        seconds,
        draft.resumed_flops,
    )
    if reservation is not None:
        reservation.see_covered(cost.spent)
    staged = store.stage(draft.files)
    facts = {
        "dagster/row_count": draft.rows,
        **vars(cost),
        **(plan_error(reservation, cost) if reservation is not None else {}),
        "bytes": staged.bytes,
        "dagster/uri": str(store.folder(step.identity.asset, step.partition, staged.version)),
        **draft.facts,
    }
    read = stage.inputs_read(step.partition)
    return dg.MaterializeResult(
        value=Pending(
            staged=staged,
            identity=step.identity,
            campaign=stage.campaign,
            inputs=sorted({a.materialization for name in read for a in step.inputs[name].values()}),
            run_id=step.context.run.run_id,
            rows=draft.rows,
            started_at=started_at,
            cost=cost,
            spend=reservation.spend if reservation is not None else None,
            work=step.give_work(),
            make_current=all(check.passed or check.only_warns for check in draft.checks),
        ),
        metadata=metadata(facts),
        check_results=[check.result(stage.checks[check.name]) for check in draft.checks],
        data_version=dg.DataVersion(staged.version),
    )


def _reuse(
    stage: Stage, context: dg.AssetExecutionContext, published: Artifact
) -> dg.MaterializeResult:
    """Answer with the version that the same inputs and code gave before; nothing is spent."""
    context.log.info("unchanged inputs and code: version %s is reused", published.version)
    key = str(context.partition_key) if context.has_partition_key else None
    event = context.instance.get_latest_data_version_record(stage.key, partition_key=key)
    before = event.asset_materialization if event is not None else None
    return dg.MaterializeResult(
        value=published,
        metadata={**(before.metadata if before is not None else {}), "reused": True},
        check_results=[_repeated(stage, context, name) for name in stage.checks],
        data_version=dg.DataVersion(published.version),
    )


def _repeated(stage: Stage, context: dg.AssetExecutionContext, name: str) -> dg.AssetCheckResult:
    """Repeat a check's last outcome: passed, or a warning, since nothing else becomes current."""
    key = dg.AssetCheckKey(stage.key, name)
    # The newest record is the evaluation that this very step has planned.
    records = context.instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
    events = [record.event.dagster_event for record in records if record.event is not None]
    evaluated = dg.DagsterEventType.ASSET_CHECK_EVALUATION
    last = next(
        (e.asset_check_evaluation_data for e in events if e and e.event_type == evaluated), None
    )
    if last is None or last.passed or last.severity != dg.AssetCheckSeverity.WARN:
        return dg.AssetCheckResult(passed=True, check_name=name)
    return dg.AssetCheckResult(
        passed=False, check_name=name, severity=last.severity, metadata=last.metadata
    )
