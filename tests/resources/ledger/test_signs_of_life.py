"""Does the ledger hear of a step at work, and what becomes of one that is, or seems, dead?"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from real_processes import Child
from reservations import begin, kinds, row, wait_until
from spending import ELSEWHERE

from resources.ledger.database import LedgerBusy
from resources.ledger.ledger import Ledger, open_ledger
from resources.ledger.losses import BEAT_SECONDS
from resources.ledger.spends import Cost
from selection.budget.amounts import Amount, loss_bound

WORK_UNTIL_SHOT = """
import sys
from datetime import timedelta
from pathlib import Path
from resources.ledger.spends import Spender
from resources.ledger.ledger import open_ledger
from resources.ledger.reservation import Reservation
from selection.budget.amounts import Amount, Cap

budget = open_ledger(Path(sys.argv[1])).spending
step = Spender("small", "small/x", "all", "run", "cpu", caps={"small": Cap("flops", 1000.0)})
reserved = Amount(500.0, 3600.0)
spend = budget.reserve(step, reserved)
lease = timedelta(seconds=float(sys.argv[2]))
with Reservation(budget, spend, reserved, what="x", beat_seconds=0.05, lease=lease) as meter:
    meter.charge(40.0)
    print(spend, flush=True)
    sys.stdin.readline()
    meter.charge(60.0)
    print("charged", flush=True)
    sys.stdin.readline()
"""

HOLD_THE_LOCK = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path)


def test_signs_of_life_arrive_while_the_step_works(ledger):
    meter = begin(ledger, Amount(100.0, 3600.0), beat_seconds=0.05)
    before = row(ledger, meter.spend)["lease_until"]
    with meter:
        meter.charge(30.0)
        wait_until(lambda: row(ledger, meter.spend)["begun_flops"] == 30.0)
        seen = row(ledger, meter.spend)
        meter.charge(40.0)
        total = sum(range(3_000_000))  # busy, and never looking up
        wait_until(lambda: row(ledger, meter.spend)["begun_flops"] == 70.0)
        later = row(ledger, meter.spend)
    assert total
    assert before < seen["lease_until"] < later["lease_until"]
    assert 0 < seen["begun_seconds"] < later["begun_seconds"]
    assert later["state"] == "running"
    # What a loss would be charged by is on record.
    assert ledger.query("SELECT count(*) AS n FROM entry WHERE kind = 'beat'")[0]["n"] >= 2
    assert kinds(ledger) == ["reserve"]
    assert ledger.verify() == []


def test_a_step_that_is_over_gives_no_sign_of_life(ledger):
    meter = begin(ledger, Amount(100.0, 3600.0), beat_seconds=0.05)
    with meter:
        wait_until(lambda: row(ledger, meter.spend)["begun_seconds"] > 0)
    last = row(ledger, meter.spend)
    time.sleep(0.3)
    assert row(ledger, meter.spend) == last


def test_a_living_step_outlives_its_first_lease(ledger):
    """Where nobody can see that it lives, by its signs of life alone."""
    lease = timedelta(seconds=2)
    reserved = Amount(100.0, 3600.0)
    meter = begin(ledger, reserved, holder=ELSEWHERE, beat_seconds=0.1, lease=lease)
    with meter:
        wait_until(lambda: row(ledger, meter.spend)["begun_seconds"] > 0)
        first = row(ledger, meter.spend)["lease_until"]
        wait_until(lambda: datetime.now(UTC) > first)
        assert ledger.spending.lose_expired() == 0
    assert row(ledger, meter.spend)["state"] == "running"


def test_a_closed_reservation_is_not_revived_by_a_late_sign_of_life(ledger):
    meter = begin(ledger, Amount(100.0, 3600.0))
    ledger.spending.lose(spend=meter.spend)
    closed = row(ledger, meter.spend)
    assert not ledger.spending.beat(meter.spend, Amount(90.0, 9.0))
    assert row(ledger, meter.spend) == closed


def test_a_busy_ledger_costs_a_sign_of_life_and_not_the_step(tmp_path, caplog):
    ledger = open_ledger(tmp_path)
    ledger._database._lock.timeout = 0.2  # seconds, in place of the minute that a step waits
    meter = begin(ledger, Amount(100.0, 3600.0), beat_seconds=0.05)
    # The lock's settings are each thread's own.
    beat = ledger.spending.beat

    def impatient(*arguments: Any, **options: Any) -> bool:
        ledger._database._lock.timeout = 0.2
        return beat(*arguments, **options)

    meter._spending.beat = impatient
    with meter:
        holder = Child(HOLD_THE_LOCK, tmp_path / "ledger.duckdb.lock")
        assert holder.next_line() == "held\n"
        with pytest.raises(LedgerBusy):
            ledger.spending.beat(meter.spend, Amount())
        wait_until(lambda: "stayed locked" in caplog.text)
        meter.charge(10.0)  # within the reservation: nobody needs to be asked
        holder.communicate("\n")
        wait_until(lambda: row(ledger, meter.spend)["begun_flops"] == 10.0)
    assert "small/x [all]" in caplog.text
    ledger.spending.settle(meter.spend, Cost(10.0, "metered", "cpu", 1.0, 1.0))
    assert ledger.verify() == []


def worker(root: Path, ledger: Ledger, *, lease: float) -> tuple[Child, str]:
    """A process that has charged 40 of its 500 FLOPs, and has said so to the ledger."""
    process = Child(WORK_UNTIL_SHOT, root, lease)
    spend = process.next_line().strip()
    process.wait_until(lambda: row(ledger, spend)["begun_flops"] == 40.0)
    return process, spend


def test_a_killed_step_s_reservation_expires_into_a_loss_within_its_bounds(tmp_path, ledger):
    process, spend = worker(tmp_path, ledger, lease=4.0)
    assert ledger.spending.lose_expired() == 0
    process.shoot()
    dead = row(ledger, spend)
    assert dead["state"] == "running"
    stands = ledger.spending.standing("small")
    assert stands is not None and stands.left == 500.0  # until then all of it stays set aside
    wait_until(lambda: ledger.spending.lose_expired() == 1)
    assert ledger.spending.lose_expired() == 0

    lost = row(ledger, spend)
    assert lost["state"] == "lost"
    bound = loss_bound(
        Amount(500.0, 3600.0),
        Amount(dead["begun_flops"], dead["begun_seconds"]),
        unseen_seconds=BEAT_SECONDS,
    )
    assert 40.0 <= lost["flops"] <= bound.flops <= 500.0
    assert dead["begun_seconds"] <= lost["device_seconds"] <= bound.seconds <= 3600.0
    stands = ledger.spending.standing("small")
    assert stands is not None
    assert stands.settled.flops == lost["flops"] and stands.reserved == Amount()
    assert ledger.verify() == []


def test_a_lease_that_has_run_out_is_not_lost_while_its_process_is_seen_to_live(tmp_path, ledger):
    process, spend = worker(tmp_path, ledger, lease=-1.0)
    assert ledger.spending.lose_expired() == 0
    assert ledger.spending.lose(run_id="run") == 0
    process.shoot()
    assert ledger.spending.lose_expired() == 1
    assert row(ledger, spend)["state"] == "lost"


@pytest.mark.parametrize("ended", [timedelta(days=-1), timedelta(days=1)])
def test_a_wall_clock_that_stepped_changes_a_loss_only_within_its_bounds(ledger, ended):
    meter = begin(ledger, Amount(100.0, 3600.0))
    ledger.spending.beat(meter.spend, Amount(40.0, 100.0))
    ledger.spending.lose(spend=meter.spend, ended_at=datetime.now(UTC) + ended)
    assert row(ledger, meter.spend)["device_seconds"] == 100.0 + BEAT_SECONDS
