"""How fast has each asset been made here, by the ledger's own record of what was spent?"""

from resources.ledger.ledger import Ledger
from selection.planning.rates import Rate, rate_seen

NEWEST = 64
"""Steps of an asset that count: a device and its load change with time."""


def rates_seen(ledger: Ledger, device: str) -> dict[str, Rate]:
    """Rate of each asset that has been made on a device, from its newest settled steps.

    What an interrupted step had left for a later one to finish says nothing about its seconds, nor
    does what is left of one that was taken for dead.

    Parameters
    ----------
    device : as `Spender.device` names it.
    """
    found = ledger.query(
        "SELECT asset, flops, device_seconds FROM spend WHERE state = 'settled'"
        " AND materialization IS NOT NULL AND resumed_flops = 0 AND device_seconds > 0"
        " AND continues IS NULL AND device = ?"
        " QUALIFY row_number() OVER (PARTITION BY asset ORDER BY ended_at DESC) <= ?",
        [device, NEWEST],
    )
    steps: dict[str, list[tuple[float, float]]] = {}
    for row in found:
        steps.setdefault(row["asset"], []).append((row["flops"], row["device_seconds"]))
    return {asset: rate_seen(of_asset) for asset, of_asset in steps.items()}
