"""A step's hold on the budget while it runs: it asks before each part of the work."""

import time
from pathlib import Path

import pytest
from reservations import begin, kinds, reserved

from resources.ledger.ledger import Ledger, open_ledger
from resources.ledger.reservation import GROWTH
from selection.budget.amounts import Amount, Cap
from selection.budget.meter import BudgetExhausted


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path)


def test_work_within_the_reservation_asks_nobody(ledger):
    with begin(ledger, Amount(100.0, 3600.0), Cap("flops", 1000.0)) as meter:
        for _ in range(10):
            meter.charge(10.0)
    assert meter.begun.flops == 100.0
    assert kinds(ledger) == ["cap", "reserve"]


def test_a_reservation_that_does_not_suffice_grows_by_a_good_part(ledger):
    with begin(ledger, Amount(100.0, 3600.0), Cap("flops", 1000.0)) as meter:
        meter.charge(100.0)
        meter.charge(1.0)
        assert reserved(ledger, meter.spend) == Amount(100.0 * (1 + GROWTH), 3600.0)
        meter.charge(20.0)  # has room now
    assert kinds(ledger) == ["cap", "reserve", "extend"]
    stands = ledger.spending.standing("small")
    assert stands is not None and stands.left == 1000.0 - 125.0


def test_a_part_larger_than_a_good_part_is_reserved_as_a_whole(ledger):
    with begin(ledger, Amount(100.0, 3600.0), Cap("flops", 1000.0)) as meter:
        meter.charge(700.0)
    assert reserved(ledger, meter.spend).flops == 700.0


def test_where_the_cap_has_no_room_for_a_good_part_just_what_is_needed_is_reserved(ledger):
    with begin(ledger, Amount(100.0, 3600.0), Cap("flops", 110.0)) as meter:
        meter.charge(100.0)
        meter.charge(4.0)
        meter.charge(6.0)
        assert reserved(ledger, meter.spend).flops == 110.0
        assert not meter.affords(0.5)
    assert meter.begun.flops == 110.0


def test_where_the_cap_has_no_room_the_part_is_not_begun_and_the_way_on_is_said(ledger):
    with begin(ledger, Amount(100.0, 3600.0), Cap("flops", 120.0)) as meter:
        meter.charge(90.0)
        assert meter.affords(30.0)
        with pytest.raises(BudgetExhausted) as caught:
            meter.charge(31.0)
        assert meter.begun.flops == 90.0
        meter.charge(30.0)  # a smaller part still fits
    message = str(caught.value)
    assert message.startswith(
        "small/x [all] stopped at its reservation: 90 FLOPs and 0 s are spent"
    )
    assert "the next part needs 31 FLOPs" in message
    assert "raise the cap with `selection cap` and run again" in message


def test_a_raised_cap_lets_the_running_step_go_on(ledger):
    with begin(ledger, Amount(100.0, 3600.0), Cap("flops", 100.0)) as meter:
        meter.charge(100.0)
        assert not meter.affords(50.0)
        ledger.spending.raise_cap("small", Cap("flops", 150.0), actor="me", reason="worth it")
        meter.charge(50.0)
    assert reserved(ledger, meter.spend).flops == 150.0


@pytest.mark.parametrize(
    "cap", [Cap("device_hours", 0.4 / 3600), Cap("usd", 0.8 / 3600, 2.0)], ids=lambda cap: cap.unit
)
def test_a_cap_on_time_stops_work_that_needs_no_more_flops(ledger, cap):
    """0.4 s of the device in both units, 0.2 of them reserved at first."""
    with begin(ledger, Amount(1e6, 0.2), cap) as meter:
        started, parts = time.monotonic(), 0
        with pytest.raises(BudgetExhausted, match="the cap has no room for more"):
            while time.monotonic() - started < 20:
                meter.charge(1.0)
                parts += 1
                time.sleep(0.01)
        assert reserved(ledger, meter.spend).seconds <= 0.4 + 1e-9
    assert parts > 0
    assert meter.begun.flops == parts
    stands = ledger.spending.standing("small")
    assert stands is not None and stands.left >= -1e-12


def test_what_a_failed_step_has_spent_is_what_it_charged_or_all_where_nobody_counts(ledger):
    counted = begin(ledger, Amount(100.0, 3600.0))
    counted.charge(30.0)
    assert counted.spent_at_most.flops == 30.0
    uncounted = begin(ledger, Amount(100.0, 3600.0), metered=False)
    assert uncounted.spent_at_most.flops == 100.0
    assert 0 < uncounted.spent_at_most.seconds < 60
