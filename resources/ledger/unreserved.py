"""Spends of steps that needed no reservation: each is opened and settled at once, many together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from resources.ledger import chain
from resources.ledger.publication import Publication, write_publications
from resources.ledger.rows import insert
from resources.ledger.spends import (
    Cost,
    Spender,
    closed,
    closing,
    opened,
    opening,
    write_shares,
)


@dataclass(frozen=True)
class Unreserved:
    """What a step has made and spent that had reserved nothing.

    Attributes
    ----------
    spend : id of its spend, which is none's yet.
    """

    spend: str
    spender: Spender
    started_at: datetime
    cost: Cost
    made: Publication


def settle_unreserved(connection: duckdb.DuckDBPyConnection, many: Sequence[Unreserved]) -> None:
    """Write spends, their entries and what was made, within the caller's transaction.

    No cap refuses them, and every cap of who pays counts them.
    """
    now = datetime.now(UTC)
    entries: list[chain.New] = []
    rows = []
    for one in many:
        first = opening(one.spender, one.cost.spent)
        last = closing(one.cost, one.spender.usd_per_device_hour, one.made)
        entries.append(("reserve", one.spend, first | opened(one.spender, one.started_at)))
        entries.append(("settle", one.spend, last | closed(now, one.made)))
        of_it = {"id": one.spend, "state": "settled", "begun_flops": 0.0, "begun_seconds": 0.0}
        rows.append(of_it | {"started_at": one.started_at, "ended_at": now} | first | last)
    chain.append_all(connection, entries)
    insert(connection, "spend", list(rows[0]), [list(row.values()) for row in rows])
    write_shares(connection, {one.spend: one.spender for one in many})
    write_publications(connection, [one.made for one in many])
