"""Which versions of a shared store does no ledger name, and how do they go?"""

from datetime import UTC, datetime, timedelta

from resources.ledger.ledger import Ledger
from resources.store.shared_store import SharedStore

IN_FLIGHT = timedelta(days=1)
"""Younger versions and blobs may be those of a publisher that has yet to tell the ledger."""


def find_shared_debris(ledger: Ledger, shared: SharedStore) -> dict[str, datetime]:
    """Find the versions that this ledger does not name, with the time at which each was put.

    Another project's that shares to the same address are among them.
    """
    until = datetime.now(UTC) - IN_FLIGHT
    named = {row["path"] for row in ledger.query("SELECT DISTINCT path FROM materialization")}
    return {
        where: put for where, put in shared.versions().items() if where not in named and put < until
    }


def remove_shared_debris(ledger: Ledger, shared: SharedStore) -> tuple[int, int]:
    """Remove them, and the blobs that nothing names any more; returns how many of each."""
    found = find_shared_debris(ledger, shared)
    return len(found), shared.forget(found, until=datetime.now(UTC) - IN_FLIGHT)
