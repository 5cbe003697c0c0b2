"""Reserve, spend, settle: no costly step starts without its share of the cap set aside."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from resources.ledger.caps import Standing, declare, in_force, put_in_force, short_of, standing
from resources.ledger.database import Database
from resources.ledger.forecasts import forecasts, foresee
from resources.ledger.spends import (
    Cost,
    Spender,
    add_to_reservation,
    close,
    cover,
    insert_spend,
    refuse,
    settle_in,
    shares_of,
    state_of,
)
from selection.budget.amounts import Amount, Cap, loss_bound

LEASE = timedelta(seconds=90)
"""Without a sign of life for so long, a step is dead."""

BEAT_SECONDS = 15.0
"""Between two signs of life."""


class OverCap(RuntimeError):
    """A step was not allowed to start: its share of a cap is not to be had."""


class Spending:
    """Who has set aside how much, and what came of it.

    Settled and reserved together never exceed a cap: each call is one transaction of a database
    that admits one at a time.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(
        self,
        spender: Spender,
        amount: Amount,
        *,
        planned: tuple[float | None, float | None] = (None, None),
    ) -> str:
        """Set an amount aside, before anything is spent; returns the reservation's id.

        Parameters
        ----------
        amount : an upper estimate of what the step will spend.
        planned : FLOPs and seconds that the step is expected to take, where a plan knows them.

        Raises
        ------
        OverCap
            Saying what is left, what is needed and how to raise the cap.
        CapConflict
            When a payer's file asks for a higher cap than the ledger enforces.
        """
        spend = uuid.uuid4().hex

        def write(connection: duckdb.DuckDBPyConnection) -> str:
            for campaign, cap in spender.caps.items():
                declare(connection, campaign, cap)
            short = short_of(connection, spender.shares, amount)
            if short is not None:
                return refuse(connection, spender, amount, *short)
            now = datetime.now(UTC)
            insert_spend(
                connection, spend, spender, now, reserved=amount, planned=planned, lease=now + LEASE
            )
            return ""

        refused = self._database.write_once(write, lambda c: "" if state_of(c, spend) else None)
        if refused:
            raise OverCap(refused)
        return spend

    def extend(self, spend: str, more: Amount) -> bool:
        """Set more aside for a running step; returns False when a cap does not admit it."""
        key = uuid.uuid4().hex

        def write(connection: duckdb.DuckDBPyConnection) -> bool:
            if short_of(connection, shares_of(connection, spend), more) is not None:
                return False
            add_to_reservation(connection, spend, more, "extend", key)
            return True

        def find(connection: duckdb.DuckDBPyConnection) -> bool | None:
            found = connection.execute(
                "SELECT 1 FROM entry WHERE kind = 'extend' AND subject = ?"
                " AND json_extract_string(body, '$.key') = ?",
                [spend, key],
            ).fetchone()
            return True if found else None

        return self._database.write_once(write, find)

    def beat(self, spend: str, begun: Amount, *, lease: timedelta = LEASE) -> None:
        """Give a sign of life, with the work begun so far."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE spend SET begun_flops = ?, begun_seconds = ?, lease_until = ?"
                " WHERE id = ? AND state = 'running'",
                [begun.flops, begun.seconds, datetime.now(UTC) + lease, spend],
            )

    def settle(self, spend: str, cost: Cost) -> None:
        """Close a reservation with what was spent, by a step that stopped without a result."""
        self._database.write_once(
            lambda connection: settle_in(connection, spend, cost, None),
            lambda connection: True if state_of(connection, spend) == "settled" else None,
        )

    def lose(
        self,
        *,
        run_id: str | None = None,
        spend: str | None = None,
        ended_at: datetime | None = None,
        begun: Amount | None = None,
    ) -> int:
        """Close open reservations as losses: one, or all that a dead run left; returns how many.

        What a dead step has spent is known as far as its last sign of life, and bounded by its
        reservation (`loss_bound`).

        Parameters
        ----------
        run_id : of a run that is over.
        spend : one reservation.
        ended_at : when it ended; now unless given.
        begun : the work begun until then, when it is known.
        """
        found = "run_id = ? OR id = ?"
        return self._lose(found, [run_id, spend], ended_at or datetime.now(UTC), begun)

    def lose_expired(self) -> int:
        """Close reservations whose lease has run out as losses; returns how many."""
        now = datetime.now(UTC)
        return self._lose("lease_until < ?", [now], now, None)

    def open_runs(self) -> list[str]:
        """Runs with reservations that nobody has closed."""
        found = self._database.read("SELECT DISTINCT run_id FROM spend WHERE state = 'running'")
        return [run_id for (run_id,) in found]

    def raise_cap(self, campaign: str, cap: Cap, *, actor: str, reason: str) -> None:
        """Put another cap in force.

        Raises
        ------
        ValueError
            Without an actor and a reason, or for the cap that is already in force.
        """
        if not actor.strip() or not reason.strip():
            raise ValueError("a cap is changed by somebody and for a reason: give both")
        with self._database.transaction() as connection:
            now = in_force(connection, campaign)
            if now == cap:
                raise ValueError(f"{campaign} already has a cap of {cap.show(cap.limit)}")
            put_in_force(connection, campaign, cap, actor=actor, reason=reason)

    def standing(self, campaign: str) -> Standing | None:
        """How a campaign stands against its cap; None when it has none."""
        with self._database.transaction() as connection:
            return standing(connection, campaign)

    def foresee(
        self, campaign: str, expected: Mapping[tuple[str, str], tuple[float, float | None]]
    ) -> None:
        """Keep what a study's newest plan expects of its steps, in place of what the last one did.

        Parameters
        ----------
        expected : (asset, partition) to FLOPs and seconds.
        """
        with self._database.transaction() as connection:
            foresee(connection, campaign, expected, self._database.readable)

    def forecasts(self, campaign: str) -> dict[tuple[str, str], tuple[float, float | None]]:
        """(asset, partition) of every step that the newest plan foresees: FLOPs and seconds."""
        with self._database.transaction() as connection:
            return forecasts(connection, campaign)

    def sunk(self, campaign: str, *, asset: str) -> Amount:
        """What a campaign has paid for nothing that is current: losses, old versions, and `asset`.

        Parameters
        ----------
        asset : one that counts even while it is current, since it is made for nothing but itself.
        """
        [(flops, seconds)] = self._database.read(
            "SELECT sum(share * flops), sum(share * device_seconds) FROM share"
            " JOIN spend ON spend.id = share.spend WHERE share.campaign = ?"
            " AND state <> 'running' AND (asset = ?"
            " OR materialization IS NULL OR materialization NOT IN"
            " (SELECT materialization FROM current_version))",
            [campaign, asset],
        )
        return Amount(flops or 0.0, seconds or 0.0)

    def refusals(self, campaign: str) -> dict[tuple[str, str], str]:
        """(asset, partition) of the campaign's steps that a cap keeps from starting: the reason."""
        found = self._database.read(
            "SELECT asset, partition, message FROM refusal WHERE campaign = ?", [campaign]
        )
        return {(asset, partition): message for asset, partition, message in found}

    def _lose(
        self, condition: str, values: Sequence[Any], ended_at: datetime, begun: Amount | None
    ) -> int:
        # `condition` is one of the two above, never what somebody typed.
        with self._database.transaction() as connection:
            found = connection.execute(
                "SELECT id, reserved_flops, reserved_seconds, begun_flops, begun_seconds, device,"
                f" started_at FROM spend WHERE state = 'running' AND ({condition}) ORDER BY id",
                list(values),
            ).fetchall()
            for spend, flops, seconds, begun_flops, begun_seconds, device, started_at in found:
                elapsed = max(0.0, (ended_at - started_at).total_seconds())
                if begun is None:
                    seen = Amount(begun_flops, begun_seconds)
                    bound = loss_bound(Amount(flops, seconds), seen, unseen_seconds=BEAT_SECONDS)
                    lost = bound.at_most(Amount(flops, elapsed))
                else:
                    lost = begun
                    cover(connection, spend, lost)
                cost = Cost(lost.flops, None, device, lost.seconds, elapsed)
                close(connection, spend, "lost", cost, ended_at)
        return len(found)
