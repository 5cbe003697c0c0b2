"""Reserve, spend, settle: no costly step starts without its share of the cap set aside."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import duckdb

from resources.ledger.caps import Standing, declare, in_force, put_in_force, short_of, standing
from resources.ledger.continuation import carry_on, short_for
from resources.ledger.database import Database
from resources.ledger.forecasts import forecasts, foresee
from resources.ledger.losses import HeldSpend, held, lose_given_up, lose_its_own, lose_unreserved
from resources.ledger.refusals import refuse, refuse_to_publish
from resources.ledger.spend_rows import charged_before, see_running, shares_of, state_of
from resources.ledger.spends import (
    Cost,
    Spender,
    add_to_reservation,
    insert_spend,
    note_begun,
    settle_in,
)
from selection.budget.amounts import Amount, Cap

LEASE = timedelta(seconds=90)
"""Without a sign of life for so long, a step that nobody can see is dead."""


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
        """Set more aside for a running step; returns False when a cap does not admit it.

        Raises
        ------
        resources.ledger.spend_rows.NotRunning
            When the reservation is closed.
        """
        key = uuid.uuid4().hex

        def write(connection: duckdb.DuckDBPyConnection) -> bool:
            see_running(connection, spend)
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

    def beat(self, spend: str, begun: Amount, *, lease: timedelta = LEASE) -> bool:
        """Give a sign of life, with the work that the attempt has begun so far.

        Returns
        -------
        bool
            Whether that renewed the lease; False when the reservation is closed: its step must
            reserve anew (`resume`), or stop.
        """
        with self._database.transaction() as connection:
            if state_of(connection, spend) != "running":
                return False
            own = begun.beyond(charged_before(connection, spend))
            note_begun(connection, spend, own, lease_until=datetime.now(UTC) + lease)
            return True

    def resume(
        self, lost: str, total: Amount, *, lease: timedelta = LEASE
    ) -> tuple[str, Amount] | None:
        """Reserve anew for a step whose reservation was closed as lost, and which goes on.

        Parameters
        ----------
        lost : the reservation.
        total : what the attempt is to be able to spend in all, since it began.

        Returns
        -------
        tuple or None
            The new reservation, and what it and the losses before it come to; None when a cap does
            not admit what exceeds the losses.

        Raises
        ------
        resources.ledger.spend_rows.NotRunning
            When the reservation was not lost.
        """
        anew = uuid.uuid4().hex

        def write(connection: duckdb.DuckDBPyConnection) -> Amount | None:
            return carry_on(connection, lost, anew, total, lease=lease)

        allowed = self._database.write_once(write, lambda _: None)  # it looks up by itself
        return None if allowed is None else (anew, allowed)

    def charge_loss(self, spender: Spender, lost: Amount) -> None:
        """Charge what a step has spent for nothing that had reserved nothing."""
        spend = uuid.uuid4().hex
        self._database.write_once(
            lambda c: lose_unreserved(c, spend, spender, lost), lambda c: state_of(c, spend)
        )

    def settle(self, spend: str, cost: Cost) -> None:
        """Close a reservation with what was spent, by a step that stopped without a result.

        Raises
        ------
        resources.ledger.spend_rows.NotRunning
            When it is closed: what was recorded as lost spends nothing more, unless it reserves
            that anew (`resume`).
        """

        def write(connection: duckdb.DuckDBPyConnection) -> bool:
            settle_in(connection, spend, cost, None)
            return True

        self._database.write_once(
            write, lambda connection: True if state_of(connection, spend) == "settled" else None
        )

    def refuse_to_go_on(self, lost: str, total: Amount) -> str:
        """Put on record what a step lacks whose reservation was lost; returns what to say of it.

        Empty when the caps admit it by now.
        """
        with self._database.transaction() as connection:
            short = short_for(connection, lost, total)
            return "" if short is None else refuse_to_publish(connection, lost, *short)

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
        reservation (`loss_bound`). Of a run, only what no living process holds is closed.

        Parameters
        ----------
        run_id : of a run that is over.
        spend : one reservation, on the word of its own step.
        ended_at : when it ended; now unless given.
        begun : the work that the step has begun until then, when it is known.
        """
        now = datetime.now(UTC)
        ended_at = ended_at or now
        with self._database.transaction() as connection:
            own = lose_its_own(connection, spend, begun, ended_at) if spend is not None else 0
            return own + lose_given_up(
                connection, "run_id = ?", [run_id], ended_at=ended_at, now=now
            )

    def lose_expired(self) -> int:
        """Close reservations whose lease has run out as losses; returns how many.

        That of a process which lives on this host does not run out, whatever the clocks say.
        """
        now = datetime.now(UTC)
        with self._database.transaction() as connection:
            return lose_given_up(connection, "lease_until < ?", [now], ended_at=now, now=now)

    def open_runs(self) -> list[str]:
        """Runs with reservations that nobody has closed."""
        found = self._database.read("SELECT DISTINCT run_id FROM spend WHERE state = 'running'")
        return [run_id for (run_id,) in found]

    def held(self) -> list[HeldSpend]:
        """Steps that have something reserved and whose process lives, as far as can be seen."""
        with self._database.transaction() as connection:
            return held(connection, datetime.now(UTC))

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

    def standing(self, campaign: str, declared: Cap | None = None) -> Standing | None:
        """How a campaign stands against its cap; None when it has none.

        Parameters
        ----------
        declared : the cap that it stands against while none is in force.
        """
        with self._database.transaction() as connection:
            return standing(connection, campaign, declared)

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
        """What a campaign has paid for losses, old versions, `asset`, and what no plan foresees.

        Steps that reserve nothing are foreseen by none.
        """
        [(flops, seconds)] = self._database.read(
            "SELECT sum(share * flops), sum(share * device_seconds) FROM share"
            " JOIN spend ON spend.id = share.spend WHERE share.campaign = ?"
            " AND state <> 'running' AND (asset = ? OR planned_flops IS NULL"
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
