"""What a study may spend in all, what it has spent, and what is left."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import duckdb

from resources.ledger import chain
from selection.budget.amounts import Amount, Cap, Unit

ROUNDING = 1e-9
"""Share of a cap by which sums of floating point numbers may seem to exceed it."""

SPENT = """
    SELECT sum(share * flops) FILTER (state <> 'running'),
        sum(share * device_seconds) FILTER (state <> 'running'),
        sum(share * reserved_flops) FILTER (state = 'running'),
        sum(share * reserved_seconds) FILTER (state = 'running')
    FROM share JOIN spend ON spend.id = share.spend WHERE share.campaign = ?
"""


class CapConflict(RuntimeError):
    """A study's file asks for more than the cap that the ledger enforces."""


@dataclass(frozen=True)
class Standing:
    """How a campaign stands against its cap.

    Attributes
    ----------
    settled : spent, recorded losses included.
    reserved : by steps that have not ended.
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


def standing(connection: duckdb.DuckDBPyConnection, campaign: str) -> Standing | None:
    """Return how a campaign stands; None when it has no cap."""
    cap = in_force(connection, campaign)
    if cap is None:
        return None
    row = connection.execute(SPENT, [campaign]).fetchone()
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
    it said before changes nothing: the cap may have been raised since.

    Raises
    ------
    CapConflict
        Naming the command that raises a cap.
    """
    now = in_force(connection, campaign)
    said = connection.execute(
        "SELECT declared_unit, declared FROM cap WHERE campaign = ?", [campaign]
    ).fetchone()
    if said == (cap.unit, cap.limit):
        return
    actor = "the study's file"
    if now is None:
        put_in_force(connection, campaign, cap, actor=actor, reason="first declared", declared=True)
    elif cap.unit != now.unit or cap.limit > now.limit:
        raise CapConflict(
            f"study {campaign}: its file says a cap of {cap.show(cap.limit)} and the ledger"
            f" enforces {now.show(now.limit)}; change it with {remedy(campaign, cap)}"
        )
    elif cap.limit < now.limit:
        put_in_force(connection, campaign, cap, actor=actor, reason="declared lower", declared=True)
    else:
        values = {"declared_unit": cap.unit, "declared": cap.limit}
        chain.append(connection, "declare", campaign, values)
        _note_declared(connection, campaign, cap)


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
