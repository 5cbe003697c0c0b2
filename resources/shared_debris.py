"""Which versions of a shared store does no ledger name, and how do they go?"""

from datetime import UTC, datetime, timedelta

from resources.debris import named_versions
from resources.ledger.ledger import Ledger
from resources.store.shared_store import SharedStore

IN_FLIGHT = timedelta(days=1)
"""Younger versions and blobs may be those of a publisher that has yet to tell the ledger."""


def find_shared_debris(ledger: Ledger, shared: SharedStore) -> dict[str, datetime]:
    """Find the versions that this ledger does not name, with the time at which each was put.

    Those of another project that shares to the same address are among them, and those that a newer
    copy of this ledger names.
    """
    until = datetime.now(UTC) - IN_FLIGHT
    named = named_versions(ledger)
    return {
        where: put for where, put in shared.versions().items() if where not in named and put < until
    }


def remove_shared_debris(ledger: Ledger, shared: SharedStore, *, confirmed: int) -> int:
    """Remove them, and the blobs that nothing names any more; returns how many blobs.

    Nobody publishes meanwhile.

    Parameters
    ----------
    confirmed : how many versions are to go.

    Raises
    ------
    ValueError
        When there are not so many; then nothing goes.
    """
    with ledger.store.nobody_publishing():
        found = find_shared_debris(ledger, shared)
        if len(found) != confirmed:
            raise ValueError(
                f"versions of the shared store that this ledger does not name: {len(found)} are"
                f" there, not {confirmed}; nothing was removed"
            )
        return shared.forget(found, until=datetime.now(UTC) - IN_FLIGHT)
