"""A step's hold on the budget while it runs: signs of life, and asking before each part of work."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import duckdb

from resources.held_clock import HeldClock
from resources.ledger.database import LedgerBusy
from resources.ledger.loss import LedgerLost
from resources.ledger.losses import BEAT_SECONDS
from resources.ledger.spend_rows import NotRunning
from resources.ledger.spending import LEASE, Spending
from resources.ledger.spends import Cost
from selection.budget.amounts import Amount
from selection.budget.meter import BudgetExhausted

LOGGER = logging.getLogger(__name__)

GROWTH = 0.25
"""Share of a reservation that is asked for at least, when it does not suffice."""

STALE = 0.5
"""Share of the lease: a last sign of life older than that is renewed before a part is begun."""

BEATS_AHEAD = 2.0
"""So many beats before its seconds run out, the reservation asks for more of them."""


class Reservation:
    """The meter of one step, with a thread that keeps its lease alive.

    The step charges each part of its work before it begins it. What is begun never exceeds the
    reservation: a part that would is first reserved, or not begun. A part is expected to take as
    long as the longest so far.

    A step that was stopped for so long that it was recorded as lost finds that out before its next
    part. It then reserves anew what it still needs, and stops where no cap admits that.

    Parameters
    ----------
    spend : id that `Spending.reserve` gave.
    reserved : what it set aside.
    what : the step, for messages.
    metered : whether the step charges its FLOPs part by part.
    devices : that the step holds, whose seconds are added up.
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
        devices: int = 1,
        planned: tuple[float | None, float | None] = (None, None),
        beat_seconds: float = BEAT_SECONDS,
        lease: timedelta = LEASE,
    ) -> None:
        self.spend = spend
        self.planned = planned
        self._metered = metered
        self._devices = devices
        self._spending = spending
        self._allowed = reserved  # to the attempt: its reservation, and losses that this continues
        self._what = what
        self._beat_seconds = beat_seconds
        self._lease = lease
        self._flops = 0.0
        self._part_began: float | None = None
        self._longest_part = 0.0
        self._lost = False
        self._heard_at = _clock()
        self._clock = HeldClock()
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name="lease", daemon=True)

    def __enter__(self) -> "Reservation":
        """Start the signs of life."""
        self._clock.start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the signs of life; closing the reservation is the caller's business."""
        self._over.set()
        self._thread.join()
        self._clock.stop()

    @property
    def begun(self) -> Amount:
        """FLOPs of the work begun, and seconds in which each device was held."""
        return Amount(self._flops, self._devices * self._clock.seconds())

    @property
    def spent_at_most(self) -> Amount:
        """What a step that failed has spent: the work begun, or all of it where nobody counts."""
        begun = self.begun
        return begun if self._metered else Amount(self._allowed.flops, begun.seconds)

    def affords(self, flops: float) -> bool:
        """Whether a part of this size may be begun now, asking for more room if need be."""
        with self._lock:
            begun = self.begun
            if self._part_began is not None:
                self._longest_part = max(self._longest_part, begun.seconds - self._part_began)
            self._part_began = begun.seconds
            need = begun + Amount(flops, self._longest_part)
            if self._is_stale():
                self._see_open(need)
            return not need.beyond(self._allowed) or self._grow(need)

    def charge(self, flops: float) -> None:
        """Count a part that is begun now.

        Raises
        ------
        BudgetExhausted
            When neither the reservation nor the cap has room for it.
        """
        if not self.affords(flops):
            needs = f"{flops:.3g} FLOPs and perhaps {self._longest_part:.1f} s"
            raise self._exhausted(f"the next part needs {needs}")
        self._flops += flops

    def see_covered(self, spent: Amount) -> None:
        """Count what a step that is done has spent, and see that it is still set aside for it.

        While its last sign of life is fresh, the ledger is not asked: publishing asks it.

        Raises
        ------
        BudgetExhausted
            When the step was recorded as lost, and the cap has no room for what is beyond that.
        """
        self._flops = max(self._flops, spent.flops)
        with self._lock:
            covered = not self._is_stale() or self._see_open(spent)
        if not covered:
            raise self._exhausted("its work is done")

    def settle(self, cost: Cost) -> str:
        """Close the reservation of a step that stopped without a result.

        Returns
        -------
        str
            Empty; or why the ledger does not have all that was spent, which is on record: the step
            was recorded as lost, and the cap has no room for what is beyond that.
        """
        return self._close(cost.spent, lambda: self._spending.settle(self.spend, cost))

    def lose(self) -> str:
        """Close the reservation of a step that failed, with all that it may have spent.

        Returns
        -------
        str
            As `settle`.
        """
        spent = self.spent_at_most
        return self._close(spent, lambda: self._spending.lose(spend=self.spend, begun=spent))

    def _close(self, spent: Amount, close: Callable[[], object]) -> str:
        with self._lock:
            while not self._see_open(spent):
                if said := self._spending.refuse_to_go_on(self.spend, spent):
                    return said
            close()
        return ""

    def _exhausted(self, why: str) -> BudgetExhausted:
        begun = self.begun
        lost = "it was recorded as lost while it gave no sign of life, " if self._lost else ""
        return BudgetExhausted(
            f"{self._what} stopped at its reservation: {begun.flops:.3g} FLOPs and"
            f" {begun.seconds:.0f} s are spent, {lost}{why}, and"
            " the cap has no room for more. What was finished is kept: raise the cap with"
            " `selection cap` and run again to go on from there"
        )

    def _is_stale(self) -> bool:
        return _clock() - self._heard_at > STALE * self._lease.total_seconds()

    def _see_open(self, need: Amount) -> bool:
        """Give a sign of life, and reserve anew where the reservation was closed as lost."""
        heard_at = _clock()
        if self._spending.beat(self.spend, self.begun, lease=self._lease) or self._resume(need):
            self._heard_at = heard_at
            self._lost = False
            return True
        self._lost = True
        self._allowed = Amount()  # nothing: others may have all of it by now
        return False

    def _resume(self, need: Amount) -> bool:
        """Reserve anew what is left of the reservation and what is needed, or just the latter."""
        left = need + self._allowed.beyond(need)
        for total in dict.fromkeys((left, need)):
            resumed = self._spending.resume(self.spend, total, lease=self._lease)
            if resumed is not None:
                LOGGER.warning("%s was recorded as lost and has reserved anew", self._what)
                self.spend, self._allowed = resumed
                return True
        return False

    def _grow(self, need: Amount) -> bool:
        """Reserve what is needed and a good part more, or just what is needed, or nothing."""
        short = need.beyond(self._allowed)
        good = Amount(
            max(short.flops, GROWTH * self._allowed.flops) if short.flops else 0.0,
            max(short.seconds, GROWTH * self._allowed.seconds) if short.seconds else 0.0,
        )
        try:
            for more in (good, short):
                if self._spending.extend(self.spend, more):
                    self._allowed += more
                    return True
        except NotRunning:
            return self._see_open(need)
        return False

    def _keep_alive(self) -> None:
        while not self._over.wait(self._beat_seconds):
            try:
                self._give_sign()
            except (LedgerBusy, LedgerLost, NotRunning, duckdb.Error) as error:
                # The lease outlives a few missed beats, and no part is begun under an old one.
                LOGGER.warning("%s: %s", self._what, error)

    def _give_sign(self) -> None:
        """Renew the lease, and ask for more seconds before they run out."""
        # Without the lock: a step that needs nobody's leave does not wait for a busy ledger.
        spend, heard_at = self.spend, _clock()
        renewed = self._spending.beat(spend, self.begun, lease=self._lease)
        with self._lock:
            if renewed:
                self._heard_at = heard_at
            elif spend == self.spend and not self._see_open(self.begun):
                return
            ahead = self.begun + Amount(seconds=BEATS_AHEAD * self._beat_seconds)
            if ahead.beyond(self._allowed):
                self._grow(ahead)


def _clock() -> float:
    """Seconds by a clock that goes on while the machine sleeps, as leases do, and never steps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
