import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from selection.budget.amounts import Amount, Cap, loss_bound
from selection.budget.meter import UNMETERED

sizes = st.floats(0, 1e24, allow_subnormal=False)
amounts = st.builds(Amount, flops=sizes, seconds=st.floats(0, 1e9, allow_subnormal=False))
caps = st.one_of(
    st.builds(Cap, unit=st.just("flops"), limit=st.floats(1e-3, 1e24)),
    st.builds(Cap, unit=st.just("device_hours"), limit=st.floats(1e-3, 1e6)),
    st.builds(
        Cap,
        unit=st.just("usd"),
        limit=st.floats(1e-3, 1e6),
        usd_per_device_hour=st.floats(0.01, 100),
    ),
)


def within(small: Amount, large: Amount) -> bool:
    return small.flops <= large.flops and small.seconds <= large.seconds


@pytest.mark.parametrize("much", [0.0, 1.0])
def test_an_amount_of_numpy_s_numbers_is_true_or_false_too(much):
    assert bool(Amount(np.float64(much)).beyond(Amount())) is bool(much)


@given(amounts, amounts)
def test_what_exceeds_another_amount_and_what_does_not_make_the_whole(one, other):
    whole = one.at_most(other) + one.beyond(other)
    assert math.isclose(whole.flops, one.flops, rel_tol=1e-12)
    assert math.isclose(whole.seconds, one.seconds, rel_tol=1e-12)


@given(amounts, amounts)
def test_nothing_is_beyond_what_is_enough(one, other):
    assert bool(one.beyond(other)) == (not within(one, other))
    assert within(one.at_most(other), one)
    assert within(one.at_most(other), other)


@given(amounts)
def test_only_no_work_at_all_is_nothing(amount):
    assert bool(amount) == (amount != Amount())
    assert amount + Amount() == amount


@given(caps, amounts, amounts)
def test_more_work_never_charges_a_cap_less_and_charges_add_up(cap, one, other):
    together = cap.charge(one + other)
    assert together >= max(cap.charge(one), cap.charge(other)) >= 0
    assert math.isclose(together, cap.charge(one) + cap.charge(other), rel_tol=1e-9)
    assert cap.charge(Amount()) == 0


def test_an_hour_of_the_device_is_charged_in_each_unit():
    hour = Amount(5e12, 3600.0)
    assert Cap("flops", 1e15).charge(hour) == 5e12
    assert Cap("device_hours", 2.0).charge(hour) == 1.0
    assert Cap("usd", 10.0, 2.5).charge(hour) == 2.5


def test_a_value_is_shown_with_its_unit():
    assert Cap("flops", 1.0).show(1.23456e15) == "1.23e+15 FLOPs"
    assert Cap("device_hours", 1.0).show(1.5) == "1.5 device-hours"
    assert Cap("usd", 1.0, 1.0).show(12.345678) == "12.35 USD"


@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan])
def test_a_cap_that_nothing_fits_under_is_refused(limit):
    with pytest.raises(ValueError, match="a cap must be positive"):
        Cap("flops", limit)


def test_a_cap_in_money_without_a_price_is_refused():
    with pytest.raises(ValueError, match="usd_per_device_hour"):
        Cap("usd", 1.0)


@given(amounts, amounts, st.floats(0, 1e4))
def test_a_loss_is_never_more_than_was_reserved(reserved, begun, unseen):
    assert within(loss_bound(reserved, begun, unseen_seconds=unseen), reserved)


@given(amounts, amounts, st.floats(0, 1e4))
def test_a_loss_is_never_less_than_the_work_that_was_seen_to_begin(reserved, begun, unseen):
    begun = begun.at_most(reserved)
    assume(begun.seconds > 1e-6)  # nothing can be seen of a step that has no time
    lost = loss_bound(reserved, begun, unseen_seconds=unseen)
    assert lost.flops >= begun.flops * (1 - 1e-12)
    assert lost.seconds >= begun.seconds * (1 - 1e-12)


@given(amounts, st.floats(0, 1e4))
def test_of_a_step_that_was_never_seen_all_that_it_reserved_is_lost(reserved, unseen):
    assert loss_bound(reserved, Amount(), unseen_seconds=unseen) == reserved


def test_of_a_step_that_counts_nothing_all_its_flops_and_only_its_time_are_lost():
    lost = loss_bound(Amount(100.0, 1000.0), Amount(0.0, 50.0), unseen_seconds=15.0)
    assert lost == Amount(100.0, 65.0)


def test_a_step_seen_half_way_may_have_worked_on_at_its_rate_until_its_next_sign_of_life():
    lost = loss_bound(Amount(100.0, 1000.0), Amount(20.0, 60.0), unseen_seconds=15.0)
    assert lost == Amount(25.0, 75.0)


@given(amounts, amounts, st.floats(0, 1e3), st.floats(0, 1e3))
def test_the_longer_a_step_was_unseen_the_more_it_may_have_cost(reserved, begun, one, other):
    shorter, longer = sorted([one, other])
    assert within(
        loss_bound(reserved, begun, unseen_seconds=shorter),
        loss_bound(reserved, begun, unseen_seconds=longer),
    )


@given(sizes)
def test_without_a_budget_everything_may_go_on(flops):
    assert UNMETERED.affords(flops)
    UNMETERED.charge(flops)
