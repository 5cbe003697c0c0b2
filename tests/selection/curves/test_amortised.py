"""From how many targets a method pays: against a search over T that knows no closed form."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from selection.curves import fit_curve
from selection.curves.amortised import amortised, break_even
from selection.curves.scores import FittedScores, measured_scores

FULL = 100.0


def fitted(rate: float, p0: float = -6.0, p_max: float = -4.0) -> FittedScores:
    """The curve of a rate, through points that lie on it but for a ripple."""
    share = np.linspace(0.02, 1.0, 12)
    score = p_max + (p0 - p_max) * np.exp(-rate * share) + 1e-6 * np.cos(40 * share)
    return FittedScores(fit_curve(share * FULL, score, p0=p0, p_max=p_max, cost_full=FULL))


CURVES = {rate: fitted(rate) for rate in (0.5, 1.0, 2.0, 4.0, 8.0)}


def pays(n_targets, *, budget, pool, target, block, method, random):
    """The definition itself: it is feasible, and no worse than random at the same total cost."""
    left = budget - amortised(pool, target, n_targets)
    return left >= block and method.score(left) >= random.score(budget)


SETTINGS = st.fixed_dictionaries(
    {
        "budget": st.floats(2.0, 90.0),
        "pool": st.one_of(st.just(0.0), st.floats(1e-3, 300.0)),
        "target": st.floats(0.0, 40.0),
        "block": st.floats(0.05, 2.0),
        "method": st.sampled_from(list(CURVES.values())),
        "random": st.sampled_from(list(CURVES.values())),
    }
)


@settings(max_examples=40, deadline=None)
@given(SETTINGS)
def test_it_is_the_least_number_of_targets_that_a_search_finds(setting):
    found = break_even(**setting).targets
    assert found is not None and found >= 1
    tried = np.geomspace(1.0, 1e7, 400)
    paying = [n for n in tried if pays(n, **setting)]
    if math.isinf(found):
        assert not paying
        return
    # The edge itself belongs to rounding: just past it the method pays, and just before not.
    assert pays(found * (1 + 1e-6), **setting) or found == 1 or found > 1e6
    if found > 1:
        assert not pays(max(1.0, found * (1 - 1e-6)), **setting)
    if paying:
        assert paying[0] >= found * (1 - 1e-6)


@settings(max_examples=80, deadline=None)
@given(SETTINGS, st.floats(1.0, 3.0))
def test_a_dearer_pool_part_never_pays_earlier(setting, factor):
    one = break_even(**setting).targets
    dearer = break_even(**(setting | {"pool": setting["pool"] * factor})).targets
    assert one is not None and dearer is not None and dearer >= one


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_between_measured_points_it_is_what_a_search_finds_too(data):
    costs = np.array([0.0, 2.5, 5.0, 10.0, 25.0, 100.0])
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    method, random = (
        measured_scores(zip(costs, np.sort(rng.normal(size=6)), strict=True)) for _ in range(2)
    )
    setting = {
        "budget": data.draw(st.sampled_from([2.5, 5.0, 10.0, 25.0])),
        "pool": data.draw(st.floats(0.01, 50.0)),
        "target": data.draw(st.floats(0.0, 5.0)),
        "block": 0.1,
        "method": method,
        "random": random,
    }
    result = break_even(**setting)
    if result.targets is None:
        assert random.score(setting["budget"]) > method.score_N[-1]
    elif math.isinf(result.targets):
        assert not pays(1e9, **setting)
    else:
        assert pays(result.targets * (1 + 1e-7), **setting) or result.targets > 1e6
        if result.targets > 1:
            assert not pays(max(1.0, result.targets * (1 - 1e-6)), **setting)


def test_the_closed_form_on_figures_worked_by_hand():
    line = measured_scores([(0.0, 0.0), (100.0, 1.0)])
    twice = measured_scores([(0.0, 0.0), (50.0, 1.0)])
    # Random scores 0.4 with 40; the method needs 20 of the 40, so that 40 - 5 - 20 = 15 are spare.
    found = break_even(40.0, pool=60.0, target=5.0, block=1.0, method=twice, random=line)
    assert found.targets == pytest.approx(4.0)
    less = break_even(40.0, pool=50.0, target=5.0, block=1.0, method=twice, random=line)
    assert less.whole_targets == 4
    same = break_even(40.0, pool=0.0, target=0.0, block=1.0, method=line, random=line)
    assert same.targets == 1.0
    worse = break_even(40.0, pool=1.0, target=0.0, block=1.0, method=line, random=line)
    assert worse.targets == math.inf and "for free" in worse.reason


def test_a_target_part_that_eats_the_budget_is_never_paid_for():
    line = CURVES[1.0]
    found = break_even(10.0, pool=0.0, target=9.5, block=1.0, method=line, random=line)
    assert found.targets == math.inf and "no block" in found.reason


def test_what_was_not_measured_is_not_foretold():
    low = measured_scores([(0.0, 0.0), (10.0, 0.1)])
    high = measured_scores([(0.0, 0.0), (10.0, 0.2)])
    found = break_even(10.0, pool=1.0, target=0.0, block=1.0, method=low, random=high)
    assert found.targets is None and "beyond" in found.reason
    with pytest.raises(ValueError, match="outside the measured"):
        break_even(11.0, pool=1.0, target=0.0, block=1.0, method=high, random=low)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pool": -1.0}, "pool is -1"),
        ({"target": math.nan}, "target is nan"),
        ({"block": 0.0}, "block is 0"),
        ({"budget": 0.5}, "buys random no block"),
        ({"budget": math.inf}, "buys random no block"),
    ],
)
def test_nonsense_is_refused(change, message):
    line = CURVES[1.0]
    setting = {"budget": 9.0, "pool": 1.0, "target": 0.0, "block": 1.0}
    with pytest.raises(ValueError, match=message):
        break_even(**(setting | change), method=line, random=line)


def test_less_than_one_target_is_refused():
    with pytest.raises(ValueError, match=r"n_targets is 0\.5"):
        amortised(1.0, 1.0, 0.5)


@given(st.sampled_from(list(CURVES.values())), st.floats(0.0, 500.0))
def test_the_cost_of_a_fitted_score_gives_the_score_back(curve, cost):
    score = curve.score(cost)
    if score < curve.fit.p_max - 1e-9:
        assert curve.cost_of(score).cost == pytest.approx(cost, rel=1e-5, abs=1e-6)
    assert curve.cost_of(curve.fit.p0 - 1.0).cost == 0.0
    assert curve.cost_of(curve.fit.p_max).cost == math.inf


def test_a_curve_that_its_points_do_not_determine_is_refused():
    level = fit_curve([10.0, 20.0, 30.0], [5.0, 5.0, 5.0], p0=4.0, p_max=None, cost_full=FULL)
    with pytest.raises(ValueError, match="not determined"):
        FittedScores(level)


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1.0, 2.0, 4.0, 8.0]), st.floats(-5, 5)),
        min_size=1,
        max_size=12,
    )
)
def test_measured_points_are_made_to_rise_as_isotonic_regression_does(points):
    curve = measured_scores(points)
    costs, scores = np.array(points).T
    reference = IsotonicRegression().fit(costs, scores)
    np.testing.assert_allclose(curve.score_N, reference.predict(curve.cost_N), atol=1e-9)
    assert (np.diff(curve.cost_N) > 0).all() and (np.diff(curve.score_N) >= -1e-12).all()


def test_points_that_diverged_are_refused():
    with pytest.raises(ValueError, match="score nan"):
        measured_scores([(1.0, math.nan)])
    with pytest.raises(ValueError, match="no measured point"):
        measured_scores([])
