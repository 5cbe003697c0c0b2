"""A step's hold on the budget while it runs: signs of life, and asking before each part of work."""

import logging
import threading
import time
from datetime import timedelta

import duckdb

from resources.ledger.database import LedgerBusy
from resources.ledger.spending import BEAT_SECONDS, LEASE, Spending
from selection.budget.amounts import Amount
from selection.budget.meter import BudgetExhausted

LOGGER = logging.getLogger(__name__)

GROWTH = 0.25
"""Share of a reservation that is asked for at least, when it does not suffice."""


class Reservation:
    """The meter of one step, with a thread that keeps its lease alive.

    The step charges each part of its work before it begins it. What is begun never exceeds the
    reservation: a part that would is first reserved, or not begun.

    Parameters
    ----------
    spend : id that `Spending.reserve` gave.
    reserved : what it set aside.
    what : the step, for messages.
    metered : whether the step charges its FLOPs part by part.
    planned : FLOPs and seconds that the step is expected to take.
    beat_seconds : between two signs of life.
    lease : how long the reservation lives without one.
    """

    def __init__(
        self,
        spending: Spending,
        spend: str,
        reserved: Amount,
        *,
        what: str,
        metered: bool = True,
        planned: tuple[float | None, float | None] = (None, None),
        beat_seconds: float = BEAT_SECONDS,
        lease: timedelta = LEASE,
    ) -> None:
        self.spend = spend
        self.planned = planned
        self._metered = metered
        self._spending = spending
        self._reserved = reserved
        self._what = what
        self._beat_seconds = beat_seconds
        self._lease = lease
        self._flops = 0.0
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name="lease", daemon=True)

    def __enter__(self) -> "Reservation":
        """Start the signs of life."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the signs of life; closing the reservation is the caller's business."""
        self._over.set()
        self._thread.join()

    @property
    def begun(self) -> Amount:
        """FLOPs of the work begun, and seconds gone."""
        return Amount(self._flops, time.monotonic() - self._started)

    @property
    def spent_at_most(self) -> Amount:
        """What a step that failed has spent: the work begun, or all of it where nobody counts."""
        begun = self.begun
        return begun if self._metered else Amount(self._reserved.flops, begun.seconds)

    def affords(self, flops: float) -> bool:
        """Whether a part of this size may be begun now, asking for more room if need be."""
        with self._lock:
            begun = self.begun
            need = Amount(begun.flops + flops, begun.seconds)
            if not need.beyond(self._reserved):
                return True
            return self._grow(need)

    def charge(self, flops: float) -> None:
        """Count a part that is begun now.

        Raises
        ------
        BudgetExhausted
            When neither the reservation nor the cap has room for it.
        """
        if not self.affords(flops):
            raise BudgetExhausted(
                f"{self._what} stopped at its reservation: {self.begun.flops:.3g} FLOPs and"
                f" {self.begun.seconds:.0f} s are spent, the next part needs {flops:.3g} FLOPs, and"
                " the cap has no room for more. What was finished is kept: raise the cap with"
                " `selection cap` and run again to go on from there"
            )
        self._flops += flops

    def _grow(self, need: Amount) -> bool:
        """Reserve what is needed and a good part more, or just what is needed, or nothing."""
        short = need.beyond(self._reserved)
        good = Amount(
            max(short.flops, GROWTH * self._reserved.flops) if short.flops else 0.0,
            max(short.seconds, GROWTH * self._reserved.seconds) if short.seconds else 0.0,
        )
        for more in (good, short):
            if self._spending.extend(self.spend, more):
                self._reserved += more
                return True
        return False

    def _keep_alive(self) -> None:
        while not self._over.wait(self._beat_seconds):
            try:
                self._spending.beat(self.spend, self.begun, lease=self._lease)
            except (LedgerBusy, duckdb.Error) as error:
                # The lease outlives a few missed beats; losing it only costs a late settlement.
                LOGGER.warning("%s: %s", self._what, error)
