"""A rate goes through both measurements and is never negative."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from selection.planning.rates import Rate, fit_rate

seconds = st.floats(0, 1e4)


@given(
    fixed=st.floats(0, 100),
    slope=st.floats(1e-15, 1e-6),
    flops=st.floats(1e3, 1e15),
    factor=st.floats(1.5, 100),
)
def test_the_line_through_two_exact_measurements_is_found(fixed, slope, flops, factor):
    assume(slope * flops > 1e-6 * fixed)  # below, doubles cannot tell the two times apart
    true = Rate(fixed, slope)
    large = flops * factor
    found = fit_rate((flops, true.seconds(flops)), (large, true.seconds(large)))
    assert found.seconds(large) == pytest.approx(true.seconds(large), rel=1e-6)
    assert found.seconds(flops) == pytest.approx(true.seconds(flops), rel=0.01, abs=1e-6)


@given(small=seconds, large=st.floats(1e-3, 1e4), factor=st.floats(1.5, 100))
def test_noise_never_makes_work_free_or_faster_than_it_was_seen(small, large, factor):
    found = fit_rate((1e6, small), (1e6 * factor, large))
    assert found.fixed_seconds >= 0
    assert found.seconds_per_flop > 0
    assert found.seconds(1e6 * factor) == pytest.approx(large, rel=1e-6)


def test_one_amount_of_work_gives_no_rate():
    with pytest.raises(ValueError, match="more rows"):
        fit_rate((1e6, 1.0), (1e6, 2.0))


def test_the_fixed_part_counts_each_time_and_flops_in_all():
    assert Rate(2.0, 1e-9).seconds(3e9, times=3) == pytest.approx(9.0)
    assert Rate(2.0, 1e-9).seconds(3e9) == pytest.approx(5.0)


@pytest.mark.parametrize("values", [(-1, 0), (0, float("nan")), (float("inf"), 0)])
def test_an_impossible_rate_is_refused(values):
    with pytest.raises(ValueError, match="finite and >= 0"):
        Rate(*values)
