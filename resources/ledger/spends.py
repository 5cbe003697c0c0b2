"""Rows of `spend` and the entries that go with them, within the caller's transaction."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import duckdb

from resources.ledger import chain
from resources.ledger.caps import Standing, remedy, short_of
from resources.ledger.publication import Publication
from selection.budget.amounts import SECONDS_AN_HOUR, Amount, Cap


@dataclass(frozen=True)
class Spender:
    """A step that is about to cost something.

    Attributes
    ----------
    campaign : the study or pool whose work it is.
    asset, partition, run_id, device : what is made, in which Dagster run, on what.
    payers : campaign to its share of the bill; shares sum to one. Empty: the campaign, alone.
    caps : what the payers' files say they may spend.
    usd_per_device_hour : price of the device.
    """

    campaign: str
    asset: str
    partition: str
    run_id: str
    device: str
    payers: Mapping[str, float] = field(default_factory=dict)
    caps: Mapping[str, Cap] = field(default_factory=dict)
    usd_per_device_hour: float | None = None

    @property
    def shares(self) -> Mapping[str, float]:
        """Who pays what part."""
        return self.payers or {self.campaign: 1.0}


@dataclass(frozen=True)
class Cost:
    """What one step cost.

    Attributes
    ----------
    flops : of making what was made, as counted by `accountant`; None where nobody did.
    device_seconds : seconds the step held the device; 0 for a step that needs none.
    wall_seconds : seconds the step took.
    resumed_flops : part of `flops` that an earlier attempt has done, and been charged for.
    """

    flops: float
    accountant: str | None
    device: str
    device_seconds: float
    wall_seconds: float
    resumed_flops: float = 0.0

    @property
    def spent(self) -> Amount:
        """What this attempt has spent."""
        return Amount(self.flops - self.resumed_flops, self.device_seconds)


def settle_in(
    connection: duckdb.DuckDBPyConnection,
    spend: str,
    cost: Cost,
    made: Publication | None,
) -> bool:
    """Close a reservation within the caller's transaction.

    One that a sensor has meanwhile closed as lost was not dead after all: what it has really cost
    takes the place of the loss. A step that has spent more than its reservation has the rest
    reserved now; where a cap does not admit it, an entry `overrun` says so, and nobody who pays
    under that cap may reserve anything until it is raised.

    Parameters
    ----------
    made : what the step made; its entry says all that the tables do.
    """
    cover(connection, spend, cost.spent)
    close(connection, spend, "settled", cost, datetime.now(UTC), made)
    return True


def insert_spend(
    connection: duckdb.DuckDBPyConnection,
    spend: str,
    spender: Spender,
    started_at: datetime,
    *,
    reserved: Amount,
    planned: tuple[float | None, float | None] = (None, None),
    lease: datetime | None = None,
) -> None:
    """Open a spend, with who pays for it, and its entry; nothing refuses its step any more."""
    values = {
        "campaign": spender.campaign,
        "asset": spender.asset,
        "partition": spender.partition,
        "run_id": spender.run_id,
        "device": spender.device,
        "usd_per_device_hour": spender.usd_per_device_hour,
        "reserved_flops": reserved.flops,
        "reserved_seconds": reserved.seconds,
        "planned_flops": planned[0],
        "planned_seconds": planned[1],
    }
    said = {"shares": dict(spender.shares), "started_at": started_at.isoformat()}
    chain.append(connection, "reserve", spend, values | said)
    names = ", ".join(values)
    marks = ", ".join("?" for _ in values)
    connection.execute(
        f"INSERT INTO spend (id, state, begun_flops, begun_seconds, started_at, lease_until,"
        f" {names}) VALUES (?, 'running', 0, 0, ?, ?, {marks})",
        [spend, started_at, lease, *values.values()],
    )
    connection.executemany(
        "INSERT INTO share VALUES (?, ?, ?)",
        [[spend, campaign, share] for campaign, share in spender.shares.items()],
    )
    connection.execute(
        "DELETE FROM refusal WHERE asset = ? AND partition = ?",
        [spender.asset, spender.partition],
    )


def close(
    connection: duckdb.DuckDBPyConnection,
    spend: str,
    state: str,
    cost: Cost,
    ended_at: datetime,
    made: Publication | None = None,
) -> None:
    """Settle a spend, or record it as lost, with the entry that says so."""
    row = connection.execute(
        "SELECT usd_per_device_hour FROM spend WHERE id = ?", [spend]
    ).fetchone()
    price = row[0] if row else None
    values = {
        "flops": cost.spent.flops,
        "resumed_flops": cost.resumed_flops,
        "device_seconds": cost.device_seconds,
        "wall_seconds": cost.wall_seconds,
        "usd": None if price is None else cost.device_seconds / SECONDS_AN_HOUR * price,
        "accountant": cost.accountant,
        "materialization": None if made is None else made.id,
    }
    kind = "settle" if state == "settled" else "lose"
    nothing = {"made": None, "inputs": [], "current": False}
    said = {"ended_at": ended_at.isoformat()} | (nothing if made is None else made.values)
    chain.append(connection, kind, spend, values | said)
    if made is not None:
        made.write(connection)
    assignments = ", ".join(f"{name} = ?" for name in values)
    connection.execute(
        f"UPDATE spend SET state = ?, ended_at = ?, {assignments} WHERE id = ?",
        [state, ended_at, *values.values(), spend],
    )


def cover(connection: duckdb.DuckDBPyConnection, spend: str, spent: Amount) -> None:
    """Let a reservation hold what was spent, or put on record that it does not."""
    # One that was closed as lost holds its loss, and no longer its reservation.
    row = connection.execute(
        "SELECT state = 'lost', if(state = 'lost', flops, reserved_flops),"
        " if(state = 'lost', device_seconds, reserved_seconds) FROM spend WHERE id = ?",
        [spend],
    ).fetchone()
    if row is None:
        raise LookupError(f"the ledger has no reservation {spend}")
    lost, *held = row
    excess = spent.beyond(Amount(*held))
    if excess and short_of(connection, shares_of(connection, spend), excess) is not None:
        add_to_reservation(connection, spend, excess, "overrun", uuid.uuid4().hex)
    elif excess and not lost:
        add_to_reservation(connection, spend, excess, "extend", uuid.uuid4().hex)


def add_to_reservation(
    connection: duckdb.DuckDBPyConnection,
    spend: str,
    more: Amount,
    kind: Literal["extend", "overrun"],
    key: str,
) -> None:
    """Reserve more for a spend.

    Parameters
    ----------
    kind : of the entry: `extend`, or `overrun` where no cap has admitted it.
    key : tells this addition from any other.
    """
    values = {"flops": more.flops, "seconds": more.seconds, "key": key}
    chain.append(connection, kind, spend, values)
    connection.execute(
        "UPDATE spend SET reserved_flops = reserved_flops + ?,"
        " reserved_seconds = reserved_seconds + ? WHERE id = ?",
        [more.flops, more.seconds, spend],
    )


def refuse(
    connection: duckdb.DuckDBPyConnection,
    spender: Spender,
    amount: Amount,
    payer: str,
    stands: Standing,
) -> str:
    """Record that a step may not start; returns why not, and how to go on.

    Parameters
    ----------
    payer, stands : whose cap does not admit its share, and how it stands.
    """
    cap = stands.cap
    share = spender.shares[payer]
    needs = share * cap.charge(amount)
    wanted = cap.limit + needs - stands.left
    part = "" if share == 1 else f" ({share:.0%} of its cost, which studies of the pool share)"
    message = (
        f"{spender.asset} [{spender.partition}] was not started: it may cost {payer}"
        f" {cap.show(needs)}{part}, and {cap.show(max(0.0, stands.left))} are left of its cap of"
        f" {cap.show(cap.limit)} ({cap.show(cap.charge(stands.settled))} spent,"
        f" {cap.show(cap.charge(stands.reserved))} reserved). To go on, raise the cap with"
        f" {remedy(payer, cap, wanted * 1.001)}"
    )
    refused_at = datetime.now(UTC)
    chain.append(
        connection,
        "refuse",
        payer,
        {
            "asset": spender.asset,
            "partition": spender.partition,
            "unit": cap.unit,
            "needs": needs,
            "left": stands.left,
            "campaign": spender.campaign,
            "message": message,
            "refused_at": refused_at.isoformat(),
        },
    )
    connection.execute(
        "INSERT OR REPLACE INTO refusal (asset, partition, campaign, message, refused_at)"
        " VALUES (?, ?, ?, ?, ?)",
        [spender.asset, spender.partition, spender.campaign, message, refused_at],
    )
    return message


def shares_of(connection: duckdb.DuckDBPyConnection, spend: str) -> dict[str, float]:
    """Who pays what part of a spend."""
    found = connection.execute(
        "SELECT campaign, share FROM share WHERE spend = ? ORDER BY campaign", [spend]
    ).fetchall()
    return dict(found)


def state_of(connection: duckdb.DuckDBPyConnection, spend: str) -> str | None:
    """State of a spend; None when there is none."""
    row = connection.execute("SELECT state FROM spend WHERE id = ?", [spend]).fetchone()
    return row[0] if row else None
