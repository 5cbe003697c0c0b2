"""Rows of `spend` and the entries that go with them, within the caller's transaction."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

import duckdb

from resources.ledger import chain
from resources.ledger.caps import short_of
from resources.ledger.publication import Publication, write_publications
from resources.ledger.rows import insert
from resources.ledger.spend_rows import charged_before, see_running, shares_of
from resources.processes import Process, this_process
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
    holder : the process that spends: while it is seen to live, nobody declares its spend lost.
    """

    campaign: str
    asset: str
    partition: str
    run_id: str
    device: str
    payers: Mapping[str, float] = field(default_factory=dict)
    caps: Mapping[str, Cap] = field(default_factory=dict)
    usd_per_device_hour: float | None = None
    holder: Process = field(default_factory=this_process)

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
    device : the hardware, with its threads.
    device_seconds : seconds the step held the device, or a processor where it needs none, not
        counting the time in which it was stopped.
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

    def less(self, charged: Amount) -> "Cost":
        """What is left of it when a part has been charged before."""
        left = self.spent.beyond(charged)
        resumed = self.flops - left.flops
        return replace(self, resumed_flops=resumed, device_seconds=left.seconds)


def settle_in(
    connection: duckdb.DuckDBPyConnection,
    spend: str,
    cost: Cost,
    made: Publication | None,
) -> None:
    """Close a reservation within the caller's transaction.

    A step that has spent more than its reservation has the rest reserved now; where a cap does not
    admit it, an entry `overrun` says so, and nobody who pays under that cap may reserve anything
    until it is raised.

    Parameters
    ----------
    cost : of the attempt, of which the spends that this one continues were charged a part.
    made : what the step made; its entry says all that the tables do.

    Raises
    ------
    NotRunning
        When it is closed: also one that was closed as lost spends nothing more.
    """
    own = cost.less(charged_before(connection, spend))
    cover(connection, spend, own.spent)
    close(connection, spend, "settled", own, datetime.now(UTC), made)


def insert_spend(
    connection: duckdb.DuckDBPyConnection,
    spend: str,
    spender: Spender,
    started_at: datetime,
    *,
    reserved: Amount,
    planned: tuple[float | None, float | None] = (None, None),
    lease: datetime | None = None,
    continues: str | None = None,
) -> None:
    """Open a spend, with who pays for it, and its entry; nothing refuses its step any more.

    Parameters
    ----------
    continues : a spend of the same attempt, which was closed as lost.
    """
    values = opening(spender, reserved, planned=planned, continues=continues)
    chain.append(connection, "reserve", spend, values | opened(spender, started_at))
    row = values | {
        "id": spend,
        "state": "running",
        "begun_flops": 0.0,
        "begun_seconds": 0.0,
        "started_at": started_at,
        "lease_until": lease,
    }
    insert(connection, "spend", list(row), [list(row.values())])
    write_shares(connection, {spend: spender})


def opening(
    spender: Spender,
    reserved: Amount,
    *,
    planned: tuple[float | None, float | None] = (None, None),
    continues: str | None = None,
) -> dict[str, Any]:
    """Columns of a spend that are known when it is opened, as its row and its entry have them."""
    return {
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
        "host": spender.holder.host,
        "pid": spender.holder.pid,
        "process_started": spender.holder.started,
        "continues": continues,
    }


def opened(spender: Spender, started_at: datetime) -> dict[str, Any]:
    """What the entry says beside `opening`."""
    return {"shares": dict(spender.shares), "started_at": started_at.isoformat()}


def write_shares(connection: duckdb.DuckDBPyConnection, spends: Mapping[str, Spender]) -> None:
    """Write who pays for spends that are opened; what kept their steps from starting is over."""
    insert(
        connection,
        "share",
        ("spend", "campaign", "share"),
        [
            (spend, campaign, share)
            for spend, spender in spends.items()
            for campaign, share in spender.shares.items()
        ],
    )
    connection.execute(
        "DELETE FROM refusal WHERE (asset, partition) IN (SELECT unnest(?), unnest(?))",
        [[one.asset for one in spends.values()], [one.partition for one in spends.values()]],
    )


def note_begun(
    connection: duckdb.DuckDBPyConnection, spend: str, begun: Amount, *, lease_until: datetime
) -> None:
    """Put on record what a running step has begun: should it die, it is charged by that."""
    values = {"begun_flops": begun.flops, "begun_seconds": begun.seconds}
    chain.append(connection, "beat", spend, values)
    connection.execute(
        "UPDATE spend SET begun_flops = ?, begun_seconds = ?, lease_until = ? WHERE id = ?",
        [*values.values(), lease_until, spend],
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
    values = closing(cost, row[0] if row else None, made)
    kind = "settle" if state == "settled" else "lose"
    chain.append(connection, kind, spend, values | closed(ended_at, made))
    if made is not None:
        write_publications(connection, [made])
    assignments = ", ".join(f"{name} = ?" for name in values)
    connection.execute(
        f"UPDATE spend SET state = ?, ended_at = ?, {assignments} WHERE id = ?",
        [state, ended_at, *values.values(), spend],
    )


def closing(cost: Cost, price: float | None, made: Publication | None) -> dict[str, Any]:
    """Columns of a spend that are known when it is closed, as its row and its entry have them.

    Parameters
    ----------
    price : of an hour of the device, in USD.
    """
    return {
        "flops": cost.spent.flops,
        "resumed_flops": cost.resumed_flops,
        "device_seconds": cost.device_seconds,
        "wall_seconds": cost.wall_seconds,
        "usd": None if price is None else cost.device_seconds / SECONDS_AN_HOUR * price,
        "accountant": cost.accountant,
        "materialization": None if made is None else made.id,
    }


def closed(ended_at: datetime, made: Publication | None) -> dict[str, Any]:
    """What the entry says beside `closing`."""
    nothing = {"made": None, "inputs": [], "current": False}
    return {"ended_at": ended_at.isoformat()} | (nothing if made is None else made.values)


def cover(connection: duckdb.DuckDBPyConnection, spend: str, spent: Amount) -> None:
    """Let a reservation hold what was spent, or put on record that it does not."""
    see_running(connection, spend)
    row = connection.execute(
        "SELECT reserved_flops, reserved_seconds FROM spend WHERE id = ?", [spend]
    ).fetchone()
    assert row is not None
    excess = spent.beyond(Amount(*row))
    if excess:
        admitted = short_of(connection, shares_of(connection, spend), excess) is None
        kind = "extend" if admitted else "overrun"
        add_to_reservation(connection, spend, excess, kind, uuid.uuid4().hex)


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
