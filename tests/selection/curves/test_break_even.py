"""Where two curves cross, against a numeric root of the curves themselves."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import brentq

from selection.curves import crossing

RATE = st.floats(0.05, 60.0)
COST = st.floats(0.0, 2.0)


def lead(total, rate_a, rate_b, selection_a, selection_b):
    """By how much a's curve leads b's, P_0 = 0 and P_max = 1, both having begun to train."""
    return math.exp(-rate_b * (total - selection_b)) - math.exp(-rate_a * (total - selection_a))


@given(RATE, RATE, COST, COST)
def test_it_is_the_root_of_the_two_curves(rate_a, rate_b, selection_a, selection_b):
    assume(max(rate_a, rate_b) > 1.05 * min(rate_a, rate_b))
    assume(abs(selection_a - selection_b) > 1e-3)
    arguments = rate_a, rate_b, selection_a, selection_b
    met = crossing(*arguments)
    begun = max(selection_a, selection_b)
    if met is None:
        totals = begun + np.geomspace(1e-6, 1.0, 50)
        signs = {math.copysign(1.0, lead(t, *arguments)) for t in totals if lead(t, *arguments)}
        assert len(signs) <= 1
        return
    assert met > begun
    assume(min(rate_a, rate_b) * (met - begun) < 30)  # beyond, both curves round to P_max
    assume(max(rate_a * (met - selection_a), rate_b * (met - selection_b)) < 30)
    far = begun + 1.5 * (met - begun)
    near = begun + 0.5 * (met - begun)
    assert brentq(lead, near, far, args=arguments, xtol=1e-13) == pytest.approx(met, rel=1e-6)
    textbook = (rate_b * selection_b - rate_a * selection_a) / (rate_b - rate_a)
    assert met == pytest.approx(textbook, rel=1e-6)


@given(RATE, RATE, COST, COST)
def test_the_order_of_the_methods_does_not_matter(rate_a, rate_b, selection_a, selection_b):
    one = crossing(rate_a, rate_b, selection_a, selection_b)
    assert one == crossing(rate_b, rate_a, selection_b, selection_a)


@pytest.mark.parametrize(
    "arguments",
    [
        (3.0, 3.0, 0.0, 1.0),  # equal rates: the cheaper stays ahead
        (3.0, 2.0, 0.0, 1.0),  # the cheaper also learns faster
        (3.0, 2.0, 1.0, 1.0),  # they part where they begin
        (3.0, 3.0, 1.0, 1.0),  # one curve
    ],
)
def test_curves_that_never_meet_have_no_crossing(arguments):
    assert crossing(*arguments) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 1.0, 0.0, 1.0), "rate_a is 0"),
        ((1.0, math.nan, 0.0, 1.0), "rate_b is nan"),
        ((1.0, 2.0, -1.0, 1.0), "selection_a is -1"),
        ((1.0, 2.0, 0.0, math.inf), "selection_b is inf"),
    ],
)
def test_unusable_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        crossing(*arguments)
