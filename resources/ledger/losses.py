"""Whose spend may be declared lost, and what is it charged?"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from resources.ledger.spend_rows import charged_before
from resources.ledger.spends import Cost, Spender, close, cover, insert_spend
from resources.processes import Process
from selection.budget.amounts import Amount, loss_bound

BEAT_SECONDS = 15.0
"""Between two signs of life."""

OPEN = """
    SELECT id, host, pid, process_started, lease_until, reserved_flops, reserved_seconds,
        begun_flops, begun_seconds, device, started_at
    FROM spend WHERE state = 'running'
"""


@dataclass(frozen=True)
class HeldSpend:
    """A step at work."""

    run_id: str
    asset: str
    partition: str
    pid: int


def held(connection: duckdb.DuckDBPyConnection, now: datetime) -> list[HeldSpend]:
    """Open spends that a process holds which lives here, or cannot be seen and has a lease."""
    rows = connection.execute(
        "SELECT host, pid, process_started, lease_until, run_id, asset, partition FROM spend"
        " WHERE state = 'running' ORDER BY id"
    ).fetchall()
    return [
        HeldSpend(*what, pid=pid)
        for host, pid, started, lease, *what in rows
        if _is_held(Process(host, pid, started), lease, now)
    ]


def lose_its_own(
    connection: duckdb.DuckDBPyConnection, spend: str, begun: Amount | None, ended_at: datetime
) -> int:
    """Close a spend on the word of its own step; returns whether it was open, as a number.

    Parameters
    ----------
    begun : work that the attempt has begun, when it is known.
    """
    rows = connection.execute(f"{OPEN} AND id = ?", [spend]).fetchall()
    for row in rows:
        _close(connection, row, begun, ended_at)
    return len(rows)


def lose_unreserved(
    connection: duckdb.DuckDBPyConnection, spend: str, spender: Spender, lost: Amount
) -> str:
    """Record what a step has spent for nothing that had reserved nothing; returns its state."""
    ended_at = datetime.now(UTC)
    started_at = ended_at - timedelta(seconds=lost.seconds)
    insert_spend(connection, spend, spender, started_at, reserved=lost)
    cost = Cost(lost.flops, None, spender.device, lost.seconds, lost.seconds)
    close(connection, spend, "lost", cost, ended_at)
    return "lost"


def lose_given_up(
    connection: duckdb.DuckDBPyConnection,
    condition: str,
    values: Sequence[Any],
    *,
    ended_at: datetime,
    now: datetime,
) -> int:
    """Close those spends whose step will not go on, as far as can be seen; returns how many.

    A process that lives here holds its spend, however long it has been stopped. Where a process
    cannot be seen, its spend is held until its lease runs out.

    Parameters
    ----------
    condition : on a row of `spend`, never what somebody typed; `values` are bound in it.
    """
    rows = connection.execute(f"{OPEN} AND ({condition}) ORDER BY id", list(values)).fetchall()
    given_up = [row for row in rows if not _is_held(Process(*row[1:4]), row[4], now)]
    for row in given_up:
        _close(connection, row, None, ended_at)
    return len(given_up)


def _is_held(holder: Process, lease_until: datetime | None, now: datetime) -> bool:
    if holder.is_here:
        return holder.lives_here
    return lease_until is None or now <= lease_until


def _close(
    connection: duckdb.DuckDBPyConnection,
    row: tuple[Any, ...],
    begun: Amount | None,
    ended_at: datetime,
) -> None:
    spend, reserved, seen = row[0], Amount(*row[5:7]), Amount(*row[7:9])
    device, started_at = row[9:]
    elapsed = (ended_at - started_at).total_seconds()
    if begun is not None:
        lost = begun.beyond(charged_before(connection, spend))
        cover(connection, spend, lost)
    else:
        lost = loss_bound(reserved, seen, unseen_seconds=BEAT_SECONDS)
        # A shorter time than the step has counted itself: the wall clock was set back since.
        if elapsed >= seen.seconds:
            lost = lost.at_most(Amount(lost.flops, elapsed))
    cost = Cost(lost.flops, None, device, lost.seconds, max(lost.seconds, elapsed))
    close(connection, spend, "lost", cost, ended_at)
