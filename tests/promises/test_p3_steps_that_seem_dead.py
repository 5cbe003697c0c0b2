"""P3: a step that was taken for dead spends nothing beyond the cap, and one that lives is not."""

import os
import shutil
import signal
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from filelock import FileLock, Timeout
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from real_processes import Child
from reservations import begin, row
from spending import ELSEWHERE, HERE, publish_report

from resources.dead_runs import settle_finished_runs
from resources.held_clock import LONG_GAP, TICK_SECONDS
from resources.ledger.audit import audit
from resources.ledger.caps import standing
from resources.ledger.ledger import Ledger, open_ledger
from resources.ledger.pending import Identity
from resources.ledger.reservation import Reservation
from resources.ledger.spending import OverCap
from resources.ledger.spends import Cost
from resources.store.held_folder import is_free
from selection.budget.amounts import Amount, Cap
from selection.budget.meter import BudgetExhausted

FLOPS = Cap("flops", 100.0)
SECONDS = Cap("device_hours", 12 / 3600)
TIME = Cap("device_hours", 3 / 3600)
CAMPAIGNS = {FLOPS: "in flops", SECONDS: "in hours"}

WORK = """
import sys, time
from datetime import timedelta
from pathlib import Path
from reservations import begin
from spending import ELSEWHERE, HERE
from resources.ledger.ledger import open_ledger
from resources.ledger.spends import Cost
from selection.budget.amounts import Amount, Cap
from selection.budget.meter import BudgetExhausted

ledger, cap = open_ledger(Path(sys.argv[1])), Cap(sys.argv[2], float(sys.argv[3]))
meter = begin(
    *(ledger, Amount(50.0, float(sys.argv[5])), cap),
    holder={"here": HERE, "elsewhere": ELSEWHERE}[sys.argv[4]],
    beat_seconds=0.1,
    lease=timedelta(seconds=0.6),
)
with meter:
    try:
        while meter.begun.flops < 1000:
            meter.charge(2.0)
            print(meter.begun.flops, flush=True)
            time.sleep(0.03)
    except BudgetExhausted as error:
        begun = meter.begun
        said = meter.settle(Cost(begun.flops, "metered", "cpu", begun.seconds, begun.seconds))
        print(said or error, flush=True)
"""


class Clock:
    """Counts the seconds that it is told of."""

    def __init__(self) -> None:
        self.passed = 0.0

    def seconds(self) -> float:
        return self.passed


class Steps(RuleBasedStateMachine):
    """Steps that ask before each part: stopped, lost, continued and ended in any order."""

    steps = Bundle("steps")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.ledger: Ledger = open_ledger(self.folder)
        self.seconds: dict[int, float] = {}

    @rule(
        target=steps,
        reserved=st.floats(1, 60),
        seconds=st.floats(0.1, 3),
        parts=st.integers(1, 4),
        cap=st.sampled_from([FLOPS, SECONDS]),
        holder=st.sampled_from([HERE, ELSEWHERE]),
        metered=st.booleans(),
    )
    def start(self, reserved, seconds, parts, cap, holder, metered):
        """Each part of a step takes the same time, and the first one's is reserved."""
        amount = Amount(reserved, parts * seconds)
        try:
            meter = begin(
                *(self.ledger, amount, cap), holder=holder, campaign=CAMPAIGNS[cap], metered=metered
            )
        except OverCap:
            return None
        meter._clock = Clock()  # pyright: ignore
        self.seconds[id(meter)] = seconds
        return meter

    @rule(meter=steps, flops=st.floats(0, 40))
    def charge(self, meter, flops):
        if meter is None:
            return
        try:
            meter.charge(flops)
        except BudgetExhausted:
            return
        meter._clock.passed += self.seconds[id(meter)]

    @rule(meter=steps, knows=st.booleans())
    def is_stopped_and_lost(self, meter, knows):
        """Its lease ends; it can tell by its own clock, unless it was another's that stepped."""
        if meter is None:
            return
        self.ledger.spending.beat(meter.spend, meter.begun, lease=timedelta(seconds=-1))
        if knows:
            meter._heard_at -= 3600
        before = row(self.ledger, meter.spend)
        self.ledger.spending.lose_expired()
        self.ledger.spending.lose(run_id="run")
        after = row(self.ledger, meter.spend)["state"]
        assert after == (before["state"] if before["host"] == HERE.host else "lost")

    @rule(meter=steps)
    def gives_a_sign(self, meter):
        if meter is not None:
            meter._give_sign()

    @rule(meter=consumes(steps))
    def stops(self, meter):
        if meter is not None:
            meter.settle(cost_of(meter))

    @rule(meter=consumes(steps))
    def fails(self, meter):
        if meter is not None:
            meter.lose()

    @rule(meter=consumes(steps))
    def publishes(self, meter):
        if meter is None:
            return
        identity = Identity("small/x", "all", meter.spend, "code")
        try:
            publish_report(self.ledger, identity, "text", cost=cost_of(meter), spend=meter.spend)
        except OverCap:
            assert self.ledger.published(identity.asset).get(identity) is None

    @invariant()
    def the_cap_holds_nobody_overran_and_nothing_is_wrong_with_the_entries(self):
        with self.ledger._database.transaction() as connection:
            for campaign in CAMPAIGNS.values():
                stands = standing(connection, campaign)
                assert stands is None or stands.left >= -1e-8 * stands.cap.limit
            assert list(audit(connection)) == []
            overruns = connection.execute("SELECT 1 FROM entry WHERE kind = 'overrun'")
            assert overruns.fetchall() == []

    def teardown(self):
        shutil.rmtree(self.folder)


def cost_of(meter: Reservation) -> Cost:
    begun = meter.begun
    return Cost(begun.flops, "metered", "cpu", begun.seconds, begun.seconds)


few = settings(
    max_examples=3,
    stateful_step_count=16,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class TestSomeInterleavings(Steps.TestCase):
    settings = few


@pytest.mark.slow
class TestManyInterleavings(Steps.TestCase):
    settings = settings(few, max_examples=100, stateful_step_count=30)


def stopped_beyond_its_lease(step: Child, ledger: Ledger) -> float:
    """Let a step begin some parts and stop it for longer than its lease; returns what it began."""
    begun = 0.0
    # Its first lease, before any sign of life, is a long one.
    while begun < 5 or not ledger.query("SELECT 1 FROM spend WHERE begun_flops > 0"):
        begun = float(step.next_line())
    stop_outside_of_the_ledger(step, ledger)
    time.sleep(LONG_GAP * TICK_SECONDS)  # a shorter stop counts as time at work
    while ledger.query("SELECT 1 FROM spend WHERE lease_until > ?", [datetime.now(UTC)]):
        time.sleep(0.05)
    return begun


def stop_outside_of_the_ledger(step: Child, ledger: Ledger) -> None:
    """Stop it while it keeps nobody else from the ledger."""
    while True:
        os.kill(step.pid, signal.SIGSTOP)
        try:
            with FileLock(f"{ledger.artifacts.parent}/ledger.duckdb.lock", timeout=0.1):
                if is_free(ledger.artifacts.parent):
                    return
        except Timeout:
            pass
        os.kill(step.pid, signal.SIGCONT)
        time.sleep(0.01)


def goes_on(step: Child, begun: float) -> tuple[float, str]:
    """Continue it to its end; returns the FLOPs that it began in all, and its last words."""
    os.kill(step.pid, signal.SIGCONT)
    *parts, said = step.end().splitlines()
    return float(parts[-1]) if parts else begun, said


def overrun(ledger: Ledger) -> float:
    """Seconds on record: a part may take longer than any before it."""
    found = ledger.query("SELECT body->>'seconds' AS s FROM entry WHERE kind = 'overrun'")
    return sum(float(row["s"]) for row in found)


@pytest.mark.parametrize(
    ("place", "cap"),
    [
        ("here", FLOPS),
        ("elsewhere", TIME),
        pytest.param("here", TIME, marks=pytest.mark.slow),
        pytest.param("elsewhere", FLOPS, marks=pytest.mark.slow),
    ],
    ids=lambda given: getattr(given, "unit", given),
)
def test_a_step_that_is_stopped_beyond_its_lease_and_continued_stays_within_the_cap(
    tmp_path, cap, place, figures
):
    """Others settle it meanwhile, and where it was lost they take all the room there is."""
    ledger = open_ledger(tmp_path)
    step = Child(WORK, tmp_path, cap.unit, cap.limit, place, 2.0)
    begun = stopped_beyond_its_lease(step, ledger)
    lost = settle_finished_runs(dg.DagsterInstance.ephemeral(), ledger.spending)
    assert lost == (0 if place == "here" else 1)
    stands = ledger.spending.standing("small")
    assert stands is not None
    if lost:
        assert stands.settled.flops >= begun and not stands.reserved
        room = Amount(stands.left, 0.0) if cap == FLOPS else Amount(0.0, 3600 * stands.left)
        begin(ledger, room, cap)
    flops, said = goes_on(step, begun)

    assert "the cap has no room for more" in said
    after = ledger.spending.standing("small")
    assert after is not None
    assert after.left >= -1e-8 * cap.limit - overrun(ledger) / 3600
    assert flops <= 100.0 or cap != FLOPS
    if cap == FLOPS:
        assert overrun(ledger) == 0
        assert flops == (stands.settled.flops if lost else cap.limit)
    states = [row["state"] for row in ledger.query("SELECT state FROM spend ORDER BY started_at")]
    assert states == (["lost", "running", "settled"] if lost else ["settled"])
    assert ledger.verify() == []
    figures.record("P3", steps_stopped_beyond_their_lease_and_continued=1)
