"""Reservations and publications for tests in which it does not matter what for."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from resources.ledger.ledger import Ledger
from resources.ledger.pending import Identity, Pending
from resources.ledger.spends import Cost, Spender
from resources.processes import Process, this_process
from resources.store.artifacts import Artifact
from selection.budget.amounts import Amount

HERE = this_process()
ELSEWHERE = replace(HERE, host="a machine that nobody here can see")
GONE = replace(HERE, started=HERE.started + 1)
"""A process whose number another one has taken over, this one."""


def reserve(
    ledger: Ledger,
    asset: str = "study/thing",
    partition: str = "all",
    run_id: str = "run",
    flops: float = 10.0,
    *,
    holder: Process = HERE,
) -> str:
    """Set something aside for a step of the campaign `small`; returns the reservation."""
    spender = Spender("small", asset, partition, run_id, "cpu", holder=holder)
    return ledger.spending.reserve(spender, Amount(flops, 10.0))


def publish_report(
    ledger: Ledger,
    identity: Identity,
    text: str,
    *,
    cost: Cost,
    campaign: str = "small",
    spend: str | None = None,
    inputs: Sequence[str] = (),
) -> Artifact:
    """Publish `report.md`; `spend` is the reservation that it settles."""
    return ledger.publish(
        Pending(
            ledger.store.stage({"report.md": text}),
            identity,
            campaign=campaign,
            inputs=inputs,
            run_id="run",
            rows=1,
            started_at=datetime.now(UTC),
            cost=cost,
            spend=spend,
        )
    )
