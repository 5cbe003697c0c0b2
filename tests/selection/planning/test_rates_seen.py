"""Seconds of a step, foreseen from those that have run before it."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import minimize

from selection.planning.rates import rate_seen

FLOPS = st.lists(st.floats(1e6, 1e14), min_size=2, max_size=20, unique=True)


@given(FLOPS, st.floats(1e-3, 10.0), st.floats(1e-13, 1e-7))
def test_steps_of_a_constant_rate_give_that_rate(flops, fixed, per_flop):
    rate = rate_seen([(f, fixed + per_flop * f) for f in flops])
    for f in flops:
        assert rate.seconds(f) == pytest.approx(fixed + per_flop * f, rel=1e-6)


@given(st.lists(st.tuples(st.floats(0.0, 1e14), st.floats(1e-3, 1e4)), min_size=1, max_size=12))
@example([(1e-307, 21.0)])
def test_a_rate_is_never_negative_whatever_has_been_seen(steps):
    rate = rate_seen(steps)
    assert rate.fixed_seconds >= 0 and rate.seconds_per_flop >= 0
    assert rate.fixed_seconds + rate.seconds_per_flop > 0


def test_it_is_the_best_of_all_rates_by_relative_error():
    rng = np.random.default_rng(0)
    flops = rng.uniform(1.0, 10.0, size=15)
    seconds = (0.5 + 2.0 * flops) * rng.lognormal(sigma=0.3, size=15)

    def error(rate):
        return (((rate[0] + rate[1] * flops) / seconds - 1.0) ** 2).sum()

    rate = rate_seen(list(zip(flops, seconds, strict=True)))
    best = minimize(error, [1.0, 1.0], bounds=[(0, None), (0, None)])
    assert error([rate.fixed_seconds, rate.seconds_per_flop]) <= best.fun * (1 + 1e-6)


def test_steps_of_one_size_are_scaled_by_their_flops_and_those_without_any_by_nothing():
    assert rate_seen([(2.0, 3.0), (2.0, 5.0), (2.0, 4.0)]).seconds(4.0) == pytest.approx(8.0)
    assert rate_seen([(0.0, 3.0), (0.0, 5.0), (0.0, 3.5)]).seconds(0.0) == pytest.approx(3.5)


@pytest.mark.parametrize("steps", [[], [(1.0, 0.0)]])
def test_nothing_seen_is_no_rate(steps):
    with pytest.raises(ValueError, match="steps that took time"):
        rate_seen(steps)
