"""The money side of a step: what it may cost, set aside before it starts."""

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import dagster as dg

from resources.crash import crash_point
from resources.ledger.caps import CapConflict
from resources.ledger.ledger import Identity
from resources.ledger.reservation import Reservation
from resources.ledger.spending import OverCap
from resources.ledger.spends import Cost
from selection_assets.stage.expected import Expected
from selection_assets.stage.payers import spender

if TYPE_CHECKING:
    from selection_assets.stage.stage import Stage

REFUSED = "refused_by_cap"
"""Metadata of the failure of a step that a cap has kept from starting, or from going on."""

T = TypeVar("T")


def asks_for(function: Callable[..., object], name: str) -> bool:
    """Whether a stage's function names one of the things on offer."""
    return name in inspect.signature(function).parameters


def call(function: Callable[..., T], given: Mapping[str, Any]) -> T:
    """Call a stage's function with those of the things on offer that it names.

    An input that only some studies have is a parameter with a default.
    """
    wanted = inspect.signature(function).parameters.values()
    return function(
        **{p.name: given[p.name] for p in wanted if p.name in given or p.default is p.empty}
    )


def reserve(
    stage: "Stage",
    function: Callable[..., object],
    context: dg.AssetExecutionContext,
    given: Mapping[str, Any],
    identity: Identity,
) -> Reservation:
    """Set aside what a step may cost.

    Raises
    ------
    dagster.Failure
        When a cap does not admit it, saying what is left, what is needed and how to go on; and
        when no plan foresees the step.
    """
    spending = context.resources.workspace.ledger.spending
    expected = _expected(stage, given, identity)
    who = spender(
        stage.campaign,
        stage.payers,
        asset=identity.asset,
        partition=identity.partition,
        run_id=context.run.run_id,
        device=context.resources.device.name,
    )
    planned = (expected.flops, expected.seconds)
    try:
        spend = spending.reserve(who, expected.upper, planned=planned)
    except (OverCap, CapConflict) as error:
        raise refused(str(error)) from error
    crash_point("after_reserve")
    what = f"{identity.asset} [{identity.partition}]"
    return Reservation(
        spending,
        spend,
        expected.upper,
        planned=planned,
        what=what,
        metered=asks_for(function, "meter"),
    )


def refused(message: str) -> dg.Failure:
    """Failure of a step that a cap keeps from starting or from going on."""
    return dg.Failure(message, metadata={REFUSED: True}, allow_retries=False)


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


def stopped_at(reservation: Reservation, context: dg.AssetExecutionContext) -> None:
    """Settle the reservation of a step that stopped at it: what it has spent is known."""
    begun = reservation.begun
    device = context.resources.device.name
    cost = Cost(begun.flops, "metered", device, begun.seconds, begun.seconds)
    context.resources.workspace.ledger.spending.settle(reservation.spend, cost)


def _expected(stage: "Stage", given: Mapping[str, Any], identity: Identity) -> Expected:
    if stage.expects is not None:
        return call(stage.expects, given)
    spending = given["workspace"].ledger.spending
    found = spending.forecast(identity.asset, identity.partition)
    if found is None:
        study = identity.asset.partition("/")[0]
        raise dg.Failure(
            f"no plan foresees {identity.asset} [{identity.partition}], and nothing is spent"
            f" without one; materialize {study}/budget_plan again",
            allow_retries=False,
        )
    return Expected(*found)
