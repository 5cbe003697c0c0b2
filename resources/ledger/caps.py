"""What a study may spend in all, what it has spent, and what is left."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import duckdb

from resources.ledger import chain
from selection.budget.amounts import Amount, Cap, Unit

ROUNDING = 1e-9
"""Share of a cap by which sums of floating point numbers may seem to exceed it."""

SPENT = """
    SELECT sum(share * flops) FILTER (state <> 'running'),
        sum(share * device_seconds * dearer) FILTER (state <> 'running'),
        sum(share * reserved_flops) FILTER (state = 'running'),
        sum(share * reserved_seconds * dearer) FILTER (state = 'running')
    FROM (
        SELECT *, coalesce(usd_per_device_hour / $price, 1) AS dearer
        FROM share JOIN spend ON spend.id = share.spend WHERE share.campaign = $campaign
    )
"""

AT_ANOTHER_PRICE = """
    SELECT asset, partition FROM share JOIN spend ON spend.id = share.spend
    WHERE share.campaign = ? AND state = 'running' AND usd_per_device_hour <> ?
"""


FILE = "the study's file"
"""Who changes a cap when nobody gives a name."""


class CapConflict(RuntimeError):
    """A study's file asks for more than the cap that the ledger enforces."""


@dataclass(frozen=True)
class Standing:
    """How a campaign stands against its cap.

    Attributes
    ----------
    settled : spent, recorded losses included. Under a cap in USD a second at another price than the
        cap's counts as so many of the cap's as cost the same.
    reserved : by steps that have not ended; seconds as in `settled`.
    """

    cap: Cap
    settled: Amount
    reserved: Amount

    @property
    def left(self) -> float:
        """What may still be reserved, in the cap's unit; negative after an overrun."""
        return self.cap.limit - self.cap.charge(self.settled) - self.cap.charge(self.reserved)

    def admits(self, amount: Amount) -> bool:
        """Whether so much more may be reserved."""
        return self.cap.charge(amount) <= self.left + self.cap.limit * ROUNDING


def standing(
    connection: duckdb.DuckDBPyConnection, campaign: str, declared: Cap | None = None
) -> Standing | None:
    """Return how a campaign stands; None when it has no cap.

    Parameters
    ----------
    declared : the cap that it stands against while none is in force.
    """
    cap = in_force(connection, campaign) or declared
    if cap is None:
        return None
    price = cap.usd_per_device_hour if cap.unit == "usd" else None
    row = connection.execute(SPENT, {"campaign": campaign, "price": price}).fetchone()
    assert row is not None
    spent = [float(value or 0.0) for value in row]
    return Standing(cap, Amount(*spent[:2]), Amount(*spent[2:]))


def in_force(connection: duckdb.DuckDBPyConnection, campaign: str) -> Cap | None:
    """The cap that is enforced now."""
    row = connection.execute(
        "SELECT unit, amount, usd_per_device_hour FROM cap WHERE campaign = ?", [campaign]
    ).fetchone()
    return Cap(cast(Unit, row[0]), row[1], row[2]) if row else None


def declare(connection: duckdb.DuckDBPyConnection, campaign: str, cap: Cap) -> None:
    """Take note of the cap in a study's file.

    The first one is put in force, and so is a lower one. A higher one, or one in another unit,
    would raise the cap with nobody's name and reason on it, and is refused. A file that says what
    it said before changes nothing: the cap may have been raised since. Another price counts for
    what is spent from now on; what was spent has cost what it did.

    Raises
    ------
    CapConflict
        Naming the command that raises a cap, or what still runs at another price.
    """
    now = _at_the_price_of(connection, campaign, cap)
    said = connection.execute(
        "SELECT declared_unit, declared FROM cap WHERE campaign = ?", [campaign]
    ).fetchone()
    if said == (cap.unit, cap.limit):
        return
    if now is None:
        put_in_force(connection, campaign, cap, actor=FILE, reason="first declared", declared=True)
    elif cap.unit != now.unit or cap.limit > now.limit:
        raise CapConflict(
            f"study {campaign}: its file says a cap of {cap.show(cap.limit)} and the ledger"
            f" enforces {now.show(now.limit)}; change it with {remedy(campaign, cap)}"
        )
    elif cap.limit < now.limit:
        put_in_force(connection, campaign, cap, actor=FILE, reason="declared lower", declared=True)
    else:
        values = {"declared_unit": cap.unit, "declared": cap.limit}
        chain.append(connection, "declare", campaign, values)
        _note_declared(connection, campaign, cap)


def _at_the_price_of(connection: duckdb.DuckDBPyConnection, campaign: str, cap: Cap) -> Cap | None:
    """The cap that is enforced, at the price that the study's file says now."""
    now, price = in_force(connection, campaign), cap.usd_per_device_hour
    if now is None or (now.unit, cap.unit) != ("usd", "usd") or now.usd_per_device_hour == price:
        return now
    running = connection.execute(AT_ANOTHER_PRICE, [campaign, price]).fetchone()
    if running is not None:
        raise CapConflict(
            f"study {campaign}: its file says {price} USD a device-hour, and {running[0]}"
            f" [{running[1]}] runs at {now.usd_per_device_hour}; wait until that has ended"
        )
    now = replace(now, usd_per_device_hour=price)
    put_in_force(connection, campaign, now, actor=FILE, reason="another price declared")
    return now


def put_in_force(
    connection: duckdb.DuckDBPyConnection,
    campaign: str,
    cap: Cap,
    *,
    actor: str,
    reason: str,
    declared: bool = False,
) -> None:
    """Enforce a cap from now on, with an entry that says who wanted it and why.

    Parameters
    ----------
    declared : whether it is the study's file that says so.
    """
    values: dict[str, Any] = {
        "unit": cap.unit,
        "amount": cap.limit,
        "usd_per_device_hour": cap.usd_per_device_hour,
        "actor": actor,
        "reason": reason,
    }
    if declared:
        values |= {"declared_unit": cap.unit, "declared": cap.limit}
    chain.append(connection, "cap", campaign, values)
    connection.execute(
        "INSERT INTO cap (campaign, unit, amount, usd_per_device_hour) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET unit = excluded.unit, amount = excluded.amount,"
        " usd_per_device_hour = excluded.usd_per_device_hour",
        [campaign, cap.unit, cap.limit, cap.usd_per_device_hour],
    )
    if declared:
        _note_declared(connection, campaign, cap)


def _note_declared(connection: duckdb.DuckDBPyConnection, campaign: str, cap: Cap) -> None:
    connection.execute(
        "UPDATE cap SET declared_unit = ?, declared = ? WHERE campaign = ?",
        [cap.unit, cap.limit, campaign],
    )


def short_of(
    connection: duckdb.DuckDBPyConnection, payers: Mapping[str, float], amount: Amount
) -> tuple[str, Standing] | None:
    """Find the first payer whose cap does not admit its share of an amount, if there is one."""
    for campaign, share in payers.items():
        stands = standing(connection, campaign)
        if stands is not None and not stands.admits(
            Amount(share * amount.flops, share * amount.seconds)
        ):
            return campaign, stands
    return None


def remedy(campaign: str, cap: Cap, limit: float | None = None) -> str:
    """The command that raises a cap, as a message names it."""
    option = f"--{cap.unit.replace('_', '-')} {limit or cap.limit:.4g}"
    return f'`selection cap {campaign} {option} --reason "..."`'
