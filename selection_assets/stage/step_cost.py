"""The money side of a step: what it may cost, set aside before it starts."""

import dagster as dg
import duckdb

from resources.crash import crash_point
from resources.ledger.caps import CapConflict
from resources.ledger.database import LedgerBusy
from resources.ledger.history import rates_seen
from resources.ledger.loss import LedgerLost
from resources.ledger.reservation import Reservation
from resources.ledger.spending import OverCap
from resources.ledger.spends import Cost, Spender
from resources.refused import refused
from selection.budget.amounts import Amount
from selection_assets.stage.payers import cap_of
from selection_assets.stage.stage import Stage
from selection_assets.stage.step import Expected, Step


def reserve(stage: Stage, step: Step) -> Reservation:
    """Set aside what a step may cost.

    Raises
    ------
    dagster.Failure
        When a cap does not admit it, saying what is left, what is needed and how to go on; and
        when no plan foresees the step.
    """
    spending = step.workspace.ledger.spending
    identity = step.identity
    expected = _expected(stage, step)
    ledger, device = step.workspace.ledger, step.device.model_name
    seen = step.once("rates", lambda: rates_seen(ledger, device)).get(identity.asset)
    if seen is not None:  # its own record says more of its seconds than any probe
        expected = Expected(expected.flops, seen.seconds(expected.flops))
    who = spender(stage, step)
    planned = (expected.flops, expected.seconds)
    try:
        spend = spending.reserve(who, expected.upper, planned=planned)
    except (OverCap, CapConflict) as error:
        raise refused(str(error)) from error
    crash_point("after_reserve")
    return Reservation(
        spending,
        spend,
        expected.upper,
        planned=planned,
        what=f"{identity.asset} [{identity.partition}]",
        metered=stage.metered,
        devices=step.device.training_devices if stage.trains else 1,
    )


def spender(stage: Stage, step: Step) -> Spender:
    """Who makes a partition, on what, and who pays: the studies that use it, in equal parts."""
    identity = step.identity
    return Spender(
        stage.campaign,
        identity.asset,
        identity.partition,
        step.context.run.run_id,
        device_name(stage, step),
        payers={study.name: 1 / len(stage.payers) for study in stage.payers},
        caps={study.name: cap for study in stage.payers if (cap := cap_of(study)) is not None},
        usd_per_device_hour=next((study.usd_per_device_hour for study in stage.payers), None),
    )


def device_name(stage: Stage, step: Step) -> str:
    """The hardware that a step holds: a processor, for one that is not costly."""
    return step.device.model_name if stage.costly else step.device.processor_name


def plan_error(reservation: Reservation, cost: Cost) -> dict[str, float]:
    """What was expected of a step, and by what share it cost more (or less, if negative)."""
    facts = {}
    actual = {"flops": cost.flops - cost.resumed_flops, "seconds": cost.device_seconds}
    for name, planned in zip(actual, reservation.planned, strict=True):
        if planned is not None:
            facts[f"planned_{name}"] = planned
            if planned > 0:
                facts[f"plan_error_{name}"] = actual[name] / planned - 1.0
    return facts


def stopped_at(reservation: Reservation, step: Step) -> str:
    """Settle the reservation of a step that stopped at it: what it has spent is known.

    Returns what a person must know of it, if anything, as `Reservation.settle` does.
    """
    begun = reservation.begun
    cost = Cost(begun.flops, "metered", step.device.model_name, begun.seconds, begun.seconds)
    return reservation.settle(cost)


def charge_unreserved(stage: Stage, step: Step, seconds: float) -> None:
    """Charge a step that needed nobody's leave and failed with the seconds that it took."""
    spending = step.workspace.ledger.spending
    try:
        spending.charge_loss(spender(stage, step), Amount(seconds=seconds))
    except (LedgerBusy, LedgerLost, duckdb.Error) as error:
        # What the step failed of is what a person must hear.
        step.context.log.warning("its %.1f s could not be charged: %s", seconds, error)


def _expected(stage: Stage, step: Step) -> Expected:
    if stage.expects is not None:
        return stage.expects(step)
    identity = step.identity
    spending = step.workspace.ledger.spending
    foreseen = step.once("forecasts", lambda: spending.forecasts(stage.campaign))
    found = foreseen.get((identity.asset, identity.partition))
    if found is None:
        raise dg.Failure(
            f"no plan foresees {identity.asset} [{identity.partition}], and nothing is spent"
            f" without one; materialize {stage.campaign}/budget_plan again",
            allow_retries=False,
        )
    return Expected(*found)
