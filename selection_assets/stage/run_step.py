"""Run one partition of a stage: reuse, or reserve, compute, measure and stage."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from resources.held_clock import HeldClock
from resources.ledger.pending import Pending
from resources.ledger.reservation import Reservation
from resources.ledger.spends import Cost
from resources.refused import refused
from resources.store.artifacts import Artifact, CorruptArtifact
from selection.basics.garbage import only_new_garbage
from selection.budget.amounts import Amount
from selection.budget.meter import BudgetExhausted
from selection_assets.stage.metadata import metadata
from selection_assets.stage.stage import Stage
from selection_assets.stage.step import Step
from selection_assets.stage.step_cost import (
    charge_unreserved,
    device_name,
    plan_error,
    reserve,
    spender,
    stopped_at,
)


@dataclass(frozen=True)
class Computed:
    """A partition of which a version is staged, to be published.

    Attributes
    ----------
    step : that has computed it.
    pending : the version, with all that the ledger will say of it.
    facts : shown in the UI.
    checks : their outcomes.
    """

    step: Step
    pending: Pending
    facts: Mapping[str, Any]
    checks: Sequence[dg.AssetCheckResult]


@dataclass(frozen=True)
class Made:
    """A partition of which a version is published.

    Attributes
    ----------
    step : that has made it, or found it made.
    artifact : the version.
    facts : shown in the UI; None for one that was found, of which the UI has been told before.
    checks : their outcomes; none of one that was found.
    """

    step: Step
    artifact: Artifact
    facts: Mapping[str, Any] | None = None
    checks: Sequence[dg.AssetCheckResult] = ()

    @property
    def failed_checks(self) -> list[dg.AssetCheckResult]:
        """Those that keep readers at the version before."""
        blocking = dg.AssetCheckSeverity.ERROR
        return [one for one in self.checks if not one.passed and one.severity == blocking]


def run_step(
    stage: Stage, step: Step, outside: Mapping[str, str], published: Artifact | None
) -> Made | Computed:
    """Compute one partition, unless the same work is already published.

    A costly stage starts only when what it may cost is reserved. A kill leaves the reservation
    open, for the sensor to close; anything milder closes it here.

    Parameters
    ----------
    outside : versions of what it reads from outside, as its identity has them.
    published : what the same inputs and code gave before; None to make it in any case.
    """
    if published is not None and _is_whole(published, step):
        return Made(step, published)
    compute = _compute_reserved if stage.costly else _compute_timed
    try:
        with only_new_garbage():
            return compute(stage, step, outside)
    finally:
        step.leave_work()


def _is_whole(published: Artifact, step: Step) -> bool:
    """Whether a published version can be reused; one that is damaged is made again."""
    try:
        published.verify(full=False)
    except CorruptArtifact as error:
        step.context.log.warning("%s; it is made again", error)
        return False
    return True


def _compute_timed(stage: Stage, step: Step, outside: Mapping[str, str]) -> Computed:
    """Make what needs nobody's leave; the seconds in which it held a processor are charged."""
    clock = HeldClock()
    clock.start()
    try:
        _find_out(stage, step)
        return _compute(stage, step, outside, clock.seconds, None)
    except BaseException:
        charge_unreserved(stage, step, clock.seconds())
        raise
    finally:
        clock.stop()


def _find_out(stage: Stage, step: Step) -> None:
    if stage.finds is not None:
        step.found = stage.finds(step)


def _compute_reserved(stage: Stage, step: Step, outside: Mapping[str, str]) -> Computed:
    _find_out(stage, step)
    reservation = reserve(stage, step)
    try:
        with reservation:
            step.meter = reservation
            return _compute(stage, step, outside, lambda: reservation.begun.seconds, reservation)
    except BudgetExhausted as error:
        raise refused(stopped_at(reservation, step) or str(error)) from error
    except BaseException:
        if said := reservation.lose():
            step.context.log.warning(said)
        raise


def _compute(
    stage: Stage,
    step: Step,
    outside: Mapping[str, str],
    held: Callable[[], float],
    reservation: Reservation | None,
) -> Computed:
    """Run the stage's function, and stage what it gives.

    Parameters
    ----------
    held : seconds for which the step has held its device until now.
    """
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
    assert {check.name for check in draft.checks} == set(stage.checks), "checks not as declared"
    if reservation is not None:
        reservation.see_covered(Amount(draft.flops - draft.resumed_flops, held()))
    staged = store.stage(draft.files)
    cost = Cost(
        draft.flops,
        draft.accountant,
        device_name(stage, step),
        held(),  # writing is part of the work
        time.monotonic() - clock,
        draft.resumed_flops,
    )
    facts = {
        "dagster/row_count": draft.rows,
        **vars(cost),
        **(plan_error(reservation, cost) if reservation is not None else {}),
        "bytes": staged.bytes,
        "dagster/uri": str(store.folder(step.identity.asset, step.partition, staged.version)),
        **draft.facts,
    }
    shown = metadata(facts)
    checks = [check.result(stage.checks[check.name]) for check in draft.checks]
    read, who = stage.inputs_read(step.partition), spender(stage, step)
    pending = Pending(
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
        paid_by=(who.payers, who.caps, who.usd_per_device_hour),
    )
    return Computed(step, pending, shown, checks)
