"""A step that was recorded as lost, and was not dead: it reserves anew, or it stops."""

from datetime import timedelta
from pathlib import Path

import pytest
from reservations import begin, kinds, reserved, row, wait_until
from spending import ELSEWHERE, publish_report, reserve

from resources.ledger.ledger import Ledger, open_ledger
from resources.ledger.pending import Identity
from resources.ledger.reservation import Reservation
from resources.ledger.spend_rows import NotRunning
from resources.ledger.spending import OverCap
from resources.ledger.spends import Cost
from selection.budget.amounts import Amount, Cap
from selection.budget.meter import BudgetExhausted

CAP = Cap("flops", 1000.0)
ASLEEP = timedelta(seconds=-1)
"""A lease that has run out whenever it is renewed."""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path)


def lost(ledger: Ledger, *, lease: timedelta = ASLEEP) -> Reservation:
    """A step that has begun 40 of its 500 FLOPs and was recorded as lost with them."""
    meter = begin(ledger, Amount(500.0, 3600.0), CAP, holder=ELSEWHERE, lease=lease)
    meter.charge(40.0)
    ledger.spending.lose(spend=meter.spend, begun=meter.begun)
    return meter


def used(ledger: Ledger) -> float:
    stands = ledger.spending.standing("small")
    assert stands is not None
    return stands.settled.flops + stands.reserved.flops


def cost(flops: float) -> Cost:
    return Cost(flops, "metered", "cpu", 1.0, 1.0)


@pytest.mark.parametrize("operation", ["extend", "settle"])
def test_nothing_is_done_to_a_spend_that_is_not_running(ledger, operation):
    spend = reserve(ledger)
    ledger.spending.lose(spend=spend)
    before = kinds(ledger)
    for name, says in ((spend, "has it as lost"), ("nobody", "does not know it")):
        with pytest.raises(NotRunning, match=says):
            if operation == "extend":
                ledger.spending.extend(name, Amount(1.0, 0.0))
            else:
                ledger.spending.settle(name, cost(1.0))
        assert not ledger.spending.beat(name, Amount())
    assert kinds(ledger) == before


def test_a_settled_spend_is_neither_extended_nor_resumed(ledger):
    spend = reserve(ledger)
    ledger.spending.settle(spend, cost(1.0))
    with pytest.raises(NotRunning, match="has it as settled"):
        ledger.spending.extend(spend, Amount(1.0, 0.0))
    with pytest.raises(NotRunning, match="has it as settled"):
        ledger.spending.resume(spend, Amount(1.0, 0.0))


def test_a_lost_step_reserves_anew_before_its_next_part(ledger):
    meter = lost(ledger)
    first = meter.spend
    meter.charge(60.0)
    again = row(ledger, meter.spend)
    assert (again["continues"], again["state"]) == (first, "running")
    assert again["reserved_flops"] == 460.0  # what it had reserved, without what it lost
    assert used(ledger) == 500.0
    assert meter.settle(cost(100.0)) == ""
    assert used(ledger) == 100.0
    assert row(ledger, meter.spend)["resumed_flops"] == 40.0
    assert kinds(ledger) == ["cap", "reserve", "lose", "reserve", "settle"]
    assert ledger.verify() == []


def test_a_step_that_is_lost_again_and_again_is_charged_what_it_has_cost(ledger):
    meter = lost(ledger)
    for _ in range(3):
        meter.charge(20.0)
        ledger.spending.lose(spend=meter.spend, begun=meter.begun)
    assert used(ledger) == 100.0
    meter.charge(1.0)
    meter.settle(cost(101.0))
    assert used(ledger) == 101.0
    assert ledger.verify() == []


def test_where_others_have_taken_the_room_a_lost_step_stops_before_its_next_part(ledger):
    meter = lost(ledger)
    others = begin(ledger, Amount(950.0, 0.0), CAP)
    meter.charge(10.0)  # just what is needed is still there
    with pytest.raises(BudgetExhausted, match=r"the cap has no room for more\. What was finished"):
        meter.charge(1.0)
    assert meter.begun.flops == 50.0
    assert meter.settle(cost(50.0)) == ""
    assert used(ledger) == 1000.0
    assert reserved(ledger, others.spend).flops == 950.0
    assert ledger.verify() == []


def test_a_step_that_cannot_reserve_what_it_has_spent_leaves_an_entry_and_no_overrun(ledger):
    meter = lost(ledger, lease=timedelta(hours=1))  # it has no reason to look
    begin(ledger, Amount(955.0, 0.0), CAP)
    meter.charge(60.0)
    assert meter.settle(cost(100.0)) == (
        "small/x [all] is not published: it gave no sign of life for so long that it was recorded"
        " as lost, went on, and has spent 60 FLOPs more than its recorded loss; 5 FLOPs are left of"
        " the cap of small, 1e+03 FLOPs. To go on, raise the cap with"
        ' `selection cap small --flops 1056 --reason "..."` and run again'
    )
    assert used(ledger) == 995.0
    assert kinds(ledger) == ["cap", "reserve", "lose", "reserve", "refuse"]
    assert ledger.verify() == []


@pytest.mark.parametrize("metered", [True, False])
def test_signs_of_life_find_the_loss_out_and_reserve_anew(ledger, metered):
    reserved = Amount(500.0, 3600.0)
    meter = begin(ledger, reserved, CAP, holder=ELSEWHERE, beat_seconds=0.05, metered=metered)
    first = meter.spend
    with meter:
        ledger.spending.lose(spend=first, begun=Amount(100.0, 1.0))
        wait_until(lambda: meter.spend != first)
    assert row(ledger, meter.spend)["reserved_flops"] == 400.0


@pytest.mark.parametrize("room", [60.0, 59.0])
def test_a_result_is_published_where_what_exceeds_the_loss_can_be_reserved(ledger, room):
    meter = lost(ledger)
    begin(ledger, Amount(960.0 - room, 0.0), CAP)
    identity = Identity("small/x", "all", "inputs", "code")

    def publish():
        return publish_report(ledger, identity, "text", cost=cost(100.0), spend=meter.spend)

    if room < 60.0:
        with pytest.raises(OverCap, match=r"small/x \[all\] is not published"):
            publish()
        assert ledger.published(identity.asset).get(identity) is None
        assert used(ledger) == 1000.0 - room
    else:
        assert publish() == publish() == ledger.published(identity.asset).get(identity)
        assert used(ledger) == 1000.0
    assert "overrun" not in kinds(ledger)
    assert ledger.verify() == []


def test_a_result_that_names_the_lost_spend_settles_the_one_that_goes_on_from_it(ledger):
    """Signs of life may find the loss out after the result was made up, and before it is kept."""
    meter = lost(ledger)
    first = meter.spend
    meter.charge(60.0)
    identity = Identity("small/x", "all", "inputs", "code")
    publish_report(ledger, identity, "text", cost=cost(100.0), spend=first)
    assert row(ledger, meter.spend)["state"] == "settled"
    assert used(ledger) == 100.0
    assert ledger.verify() == []


def test_seconds_are_reserved_before_they_run_out(ledger):
    cap = Cap("device_hours", 1.0)
    meter = begin(ledger, Amount(0.0, 2.0), cap, metered=False, beat_seconds=0.5)
    with meter:
        wait_until(lambda: "extend" in kinds(ledger))
    assert row(ledger, meter.spend)["begun_seconds"] < 2.0 < reserved(ledger, meter.spend).seconds
