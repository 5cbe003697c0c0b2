"""A step's hold on the budget, and what the ledger says of it."""

import time
from collections.abc import Callable
from typing import Any

from resources.ledger.ledger import Ledger
from resources.ledger.reservation import Reservation
from resources.ledger.spends import Spender
from resources.processes import Process, this_process
from selection.budget.amounts import Amount, Cap


def begin(
    ledger: Ledger,
    amount: Amount,
    cap: Cap | None = None,
    *,
    holder: Process | None = None,
    campaign: str = "small",
    **options: Any,
) -> Reservation:
    """Reserve for a step of a campaign, held by this process or by the one given."""
    step = Spender(
        *(campaign, "small/x", "all", "run", "cpu"),
        caps={} if cap is None else {campaign: cap},
        usd_per_device_hour=2.0,
        holder=holder or this_process(),
    )
    spend = ledger.spending.reserve(step, amount)
    return Reservation(ledger.spending, spend, amount, what="small/x [all]", **options)


def row(ledger: Ledger, spend: str) -> dict:
    [found] = ledger.query("SELECT * FROM spend WHERE id = ?", [spend])
    return found


def reserved(ledger: Ledger, spend: str) -> Amount:
    found = row(ledger, spend)
    return Amount(found["reserved_flops"], found["reserved_seconds"])


def kinds(ledger: Ledger) -> list[str]:
    """Kinds of the entries that change what is spent, in order: all but signs of life."""
    found = ledger.query("SELECT kind FROM entry WHERE kind <> 'beat' ORDER BY seq")
    return [entry["kind"] for entry in found]


def wait_until(happened: Callable[[], object], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.02)
