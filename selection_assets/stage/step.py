"""Run one partition of a stage: reuse, or reserve, compute, measure, stage and hand over."""

import shutil
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from resources.io_manager import Pending
from resources.ledger.ledger import Identity
from resources.ledger.reservation import Reservation
from resources.ledger.spends import Cost
from resources.store.artifacts import UNPARTITIONED, Artifact, CorruptArtifact
from selection.budget.meter import UNMETERED, BudgetExhausted
from selection_assets.stage.draft import Draft
from selection_assets.stage.metadata import metadata
from selection_assets.stage.step_cost import (
    asks_for,
    call,
    plan_error,
    refused,
    reserve,
    stopped_at,
)

if TYPE_CHECKING:
    from selection_assets.stage.stage import Stage

FORCE_TAG = "selection/force"
"""A run with this tag repeats work that is already done."""

Inputs = Mapping[str, Mapping[str, Artifact]]
"""Input name to (partition to what was loaded of it)."""


def run_step(
    stage: "Stage",
    function: Callable[..., Draft],
    context: dg.AssetExecutionContext,
    arguments: Mapping[str, Any],
) -> dg.MaterializeResult:
    """Materialize one partition, unless the same work is already published.

    A costly stage starts only when what it may cost is reserved. A kill leaves the reservation
    open, for the sensor to close; anything milder closes it here.
    """
    ledger = context.resources.workspace.ledger
    partition = str(context.partition_key) if context.has_partition_key else UNPARTITIONED
    inputs = {name: _by_partition(arguments[name]) for name in stage.ins}
    versions = {
        name: {key: artifact.version for key, artifact in found.items()}
        for name, found in inputs.items()
    }
    identity = stage.identity(partition, versions)
    published = ledger.find(identity)
    forced = FORCE_TAG in context.run.tags
    if published is not None and not forced and _is_whole(published, context):
        return _reuse(stage, context, published)
    given = _offered(stage, function, context, arguments, identity)
    if stage.finds is not None:
        given["found"] = call(stage.finds, given)
    if not stage.costly:
        return _compute(stage, function, context, given, inputs, identity, None)
    context.log.info("device: %s", context.resources.device.describe())
    reservation = reserve(stage, function, context, given, identity)
    try:
        with reservation:
            given["meter"] = reservation
            return _compute(stage, function, context, given, inputs, identity, reservation)
    except BudgetExhausted as error:
        stopped_at(reservation, context)
        raise refused(str(error)) from error
    except BaseException:
        ledger.spending.lose(spend=reservation.spend, begun=reservation.spent_at_most)
        raise


def _is_whole(published: Artifact, context: dg.AssetExecutionContext) -> bool:
    """Whether a published version can be reused; one that is damaged is made again."""
    try:
        published.check()
    except CorruptArtifact as error:
        context.log.warning("%s; it is made again", error)
        return False
    return True


def _offered(
    stage: "Stage",
    function: Callable[..., Draft],
    context: dg.AssetExecutionContext,
    arguments: Mapping[str, Any],
    identity: Identity,
) -> dict[str, Any]:
    """Everything that a stage's function may ask for by name, but its meter."""
    workspace = context.resources.workspace
    given = {
        **arguments,
        "loaded": {name: arguments[name] for name in stage.ins},
        "context": context,
        "workspace": workspace,
        "device": context.resources.device,
        "meter": UNMETERED,
    }
    if asks_for(function, "work"):
        given["work"] = workspace.store.work_folder("\0".join(vars(identity).values()))
    return given


def _compute(
    stage: "Stage",
    function: Callable[..., Draft],
    context: dg.AssetExecutionContext,
    given: Mapping[str, Any],
    inputs: Inputs,
    identity: Identity,
    reservation: Reservation | None,
) -> dg.MaterializeResult:
    workspace, device = context.resources.workspace, context.resources.device
    started_at, clock = datetime.now(UTC), time.monotonic()
    draft = call(function, given)
    if stage.costly:
        device.synchronise()
    seconds = time.monotonic() - clock

    assert {check.name for check in draft.checks} == set(stage.checks), "checks not as declared"
    staged = workspace.store.stage(draft.files)
    if "work" in given:
        shutil.rmtree(given["work"])
    cost = Cost(
        draft.flops,
        draft.accountant,
        device.name if stage.costly else "none",
        seconds if stage.costly else 0.0,
        seconds,
        draft.resumed_flops,
    )
    facts = {
        "dagster/row_count": draft.rows,
        **vars(cost),
        **(plan_error(reservation, cost) if reservation is not None else {}),
        "bytes": staged.bytes,
        "dagster/uri": str(
            workspace.store.folder(identity.asset, identity.partition, staged.version)
        ),
        **draft.facts,
    }
    read = stage.reads(identity.partition)
    return dg.MaterializeResult(
        value=Pending(
            staged=staged,
            identity=identity,
            campaign=stage.campaign,
            inputs=sorted({a.materialization for name in read for a in inputs[name].values()}),
            rows=draft.rows,
            started_at=started_at,
            cost=cost,
            spend=reservation.spend if reservation is not None else None,
            make_current=all(check.passed or check.only_warns for check in draft.checks),
        ),
        metadata=metadata(facts),
        check_results=[check.result() for check in draft.checks],
        data_version=dg.DataVersion(staged.version),
    )


def _reuse(
    stage: "Stage", context: dg.AssetExecutionContext, published: Artifact
) -> dg.MaterializeResult:
    """Answer with the version that the same inputs and code gave before; nothing is spent."""
    context.log.info("unchanged inputs and code: version %s is reused", published.version)
    key = str(context.partition_key) if context.has_partition_key else None
    event = context.instance.get_latest_data_version_record(stage.asset.key, partition_key=key)
    before = event.asset_materialization if event is not None else None
    return dg.MaterializeResult(
        value=published,
        metadata={**(before.metadata if before is not None else {}), "reused": True},
        check_results=[_repeated(stage, context, name) for name in stage.checks],
        data_version=dg.DataVersion(published.version),
    )


def _repeated(stage: "Stage", context: dg.AssetExecutionContext, name: str) -> dg.AssetCheckResult:
    """Repeat a check's last outcome: passed, or a warning, since nothing else becomes current."""
    key = dg.AssetCheckKey(stage.asset.key, name)
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


def _by_partition(loaded: Artifact | dict[str, Artifact]) -> dict[str, Artifact]:
    return loaded if isinstance(loaded, dict) else {loaded.partition: loaded}
