"""Reservations for tests in which it does not matter what for."""

from resources.ledger.ledger import Ledger
from resources.ledger.spends import Spender
from selection.budget.amounts import Amount


def reserve(
    ledger: Ledger,
    asset: str = "study/thing",
    partition: str = "all",
    run_id: str = "run",
    flops: float = 10.0,
) -> str:
    """Set something aside for a step of the campaign `small`; returns the reservation."""
    spender = Spender("small", asset, partition, run_id, "cpu")
    return ledger.spending.reserve(spender, Amount(flops, 10.0))
