"""One method's curve against scipy's own fit, a grid, planted rates, and its refusals."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from selection.curves import fit_curve

FULL = 4.6e18
SHARES = np.array([0.025, 0.05, 0.1, 0.25, 0.5, 1.0])


def offset(share, p0, p_max, rate):
    return (p_max - p0) * (1 - np.exp(-rate * share)) + p0


def noisy(rng, *, rate=8.0, p0=45.0, p_max=47.0, noise=0.1, repeats=2):
    share = np.repeat(SHARES, repeats)
    return share * FULL, offset(share, p0, p_max, rate) + rng.normal(0.0, noise, len(share))


@settings(deadline=None)
@given(
    log_rate=st.floats(math.log(0.5), math.log(60.0)),
    p0=st.floats(-9.0, 60.0),
    rise=st.floats(0.01, 40.0),
    p_max_given=st.booleans(),
)
def test_a_planted_rate_is_recovered_from_points_without_noise(log_rate, p0, rise, p_max_given):
    rate, p_max = math.exp(log_rate), p0 + rise
    fit = fit_curve(
        SHARES * FULL,
        offset(SHARES, p0, p_max, rate),
        p0=p0,
        p_max=p_max if p_max_given else None,
    )
    assert fit.rate == pytest.approx(rate, rel=1e-4)
    assert fit.p_max == pytest.approx(p_max, abs=1e-4 * rise)
    assert fit.determined
    assert fit.rate_low == pytest.approx(rate, rel=1e-3)
    assert fit.rate_high == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize("seed", range(8))
def test_it_agrees_with_scipy_s_curve_fit(seed):
    cost, score = noisy(np.random.default_rng(seed))
    fit = fit_curve(cost, score, p0=45.0, p_max=None)
    (p_max, log_rate), covariance = curve_fit(
        lambda share, p_max, log_rate: offset(share, 45.0, p_max, np.exp(log_rate)),
        cost / FULL,
        score,
        p0=[47.0, math.log(8.0)],
    )
    assert fit.p_max == pytest.approx(p_max, rel=1e-6)
    assert fit.rate == pytest.approx(math.exp(log_rate), rel=1e-4)
    assert fit.covariance[1:, 1:] == pytest.approx(covariance, rel=1e-3)
    residuals = score - offset(cost / FULL, 45.0, p_max, math.exp(log_rate))
    assert fit.residual_std == pytest.approx(math.sqrt((residuals**2).sum() / 10), rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_no_rate_of_a_grid_fits_better(seed):
    cost, score = noisy(np.random.default_rng(100 + seed), noise=0.5)
    fit = fit_curve(cost, score, p0=45.0, p_max=47.0)
    grid = np.geomspace(1e-2, 1e3, 4000)
    misfits = ((offset(cost / FULL, 45.0, 47.0, grid[:, None]) - score) ** 2).sum(axis=1)
    ours = ((offset(cost / FULL, 45.0, 47.0, fit.rate) - score) ** 2).sum()
    assert ours <= misfits.min() * (1 + 1e-9)


def test_intervals_of_rate_end_and_prediction_cover_about_as_often_as_they_say():
    rng = np.random.default_rng(41)
    covered = np.zeros(3)
    repetitions = 300
    for _ in range(repetitions):
        fit = fit_curve(*noisy(rng), p0=45.0, p_max=None)
        _, low, high = fit.predict(0.15 * FULL)
        truth = offset(0.15, 45.0, 47.0, 8.0)
        covered += [
            fit.rate_low <= 8.0 <= fit.rate_high,
            fit.p_max_low <= 47.0 <= fit.p_max_high,
            low <= truth <= high,
        ]
    assert (covered >= 0.91 * repetitions).all() and (covered <= 0.985 * repetitions).all()


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    shift=st.floats(-50.0, 50.0),
    scale=st.floats(0.01, 100.0),
    cost_scale=st.floats(1e-12, 1e6),
)
def test_units_of_score_and_cost_do_not_matter(seed, shift, scale, cost_scale):
    cost, score = noisy(np.random.default_rng(seed))
    one = fit_curve(cost, score, p0=45.0, p_max=None)
    assume(one.determined)
    other = fit_curve(cost_scale * cost, shift + scale * score, p0=shift + scale * 45.0, p_max=None)
    assert other.rate == pytest.approx(one.rate, rel=1e-3)
    assert other.rate_high == pytest.approx(one.rate_high, rel=1e-2)
    assert other.p_max == pytest.approx(shift + scale * one.p_max, abs=1e-3 * scale)
    assert other.residual_std == pytest.approx(scale * one.residual_std, rel=1e-4)
    expected = shift + scale * np.array(one.predict(cost[:3]))
    assert np.array(other.predict(cost_scale * cost[:3])) == pytest.approx(
        expected, abs=1e-3 * scale
    )


def test_the_interval_of_a_rate_is_never_negative_and_of_the_start_has_no_width():
    fit = fit_curve(*noisy(np.random.default_rng(3), noise=1.0), p0=45.0, p_max=47.0)
    assert 0 <= fit.rate_low < fit.rate < fit.rate_high
    estimate, low, high = fit.predict([0.0])
    assert estimate == low == high == 45.0
    assert (fit.p0_low, fit.p0_high, fit.p_max_low, fit.p_max_high) == (45, 45, 47, 47)


def test_a_cost_outside_the_pool_is_counted_in_shares_of_the_pool():
    cost = 0.2 * SHARES * FULL
    score = offset(0.2 * SHARES, 45.0, 47.0, 8.0)
    fit = fit_curve(cost, score, p0=45.0, p_max=47.0, cost_full=FULL)
    assert fit.rate == pytest.approx(8.0)
    assert fit_curve(cost, score, p0=45.0, p_max=47.0).rate == pytest.approx(1.6)


@pytest.mark.parametrize(
    ("scores", "p_max"),
    [
        (np.full(6, 47.0), None),  # levelled off before the first point
        (np.full(6, 47.0), 47.0),
        (45.0 + 1e-3 * SHARES, None),  # a straight line
        (np.full(6, 45.0), None),  # nothing was learnt
        (np.full(6, 45.0), 47.0),
        (45.0 - SHARES, None),  # it falls
        (45.0 - SHARES, 47.0),
    ],
)
def test_points_that_do_not_determine_the_rate_get_an_infinite_interval(scores, p_max):
    fit = fit_curve(SHARES * FULL, scores, p0=45.0, p_max=p_max)
    assert not fit.determined
    assert (fit.rate_low, fit.rate_high) == (0.0, math.inf)
    _, low, high = fit.predict(0.3 * FULL)
    assert np.isneginf(low) and np.isposinf(high)


def test_a_straight_line_has_no_known_end():
    fit = fit_curve(SHARES * FULL, 45.0 + SHARES, p0=45.0, p_max=None)
    assert (fit.p_max_low, fit.p_max_high) == (-math.inf, math.inf)


def test_one_cost_for_all_points_does_not_tell_rate_from_end():
    fit = fit_curve([FULL] * 4, [46.0, 46.1, 45.9, 46.2], p0=45.0, p_max=None)
    assert not fit.determined and math.isinf(fit.p_max_high)


def test_as_many_points_as_parameters_give_an_exact_curve_without_known_intervals():
    cost = np.array([0.1, 1.0]) * FULL
    fit = fit_curve(cost, offset(np.array([0.1, 1.0]), 45.0, 47.0, 8.0), p0=45.0, p_max=None)
    assert fit.rate == pytest.approx(8.0, rel=1e-5)
    assert math.isnan(fit.residual_std) and fit.rate_high == math.inf
    assert not fit.determined


def test_another_model_is_refused_with_both_sizes_and_the_reason():
    fit = fit_curve(*noisy(np.random.default_rng(1)), p0=45.0, p_max=47.0, model=6.74e9)
    with pytest.raises(ValueError, match=r"6740000000\.0.*13000000000\.0.*does not transfer"):
        fit.predict(FULL, model=1.3e10)
    assert fit.predict(FULL, model=6.74e9) == fit.predict(FULL)
    unnamed = fit_curve(*noisy(np.random.default_rng(1)), p0=45.0, p_max=47.0)
    with pytest.raises(ValueError, match="not named"):
        unnamed.predict(FULL, model="7B")


GOOD: Any = dict(cost=SHARES, score=SHARES, p0=0.0, p_max=None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": SHARES[:3]}, "one score for each"),
        ({"cost": SHARES[None], "score": SHARES[None]}, "one dimension"),
        ({"cost": SHARES[:1], "score": SHARES[:1]}, "1 points cannot determine 2 parameters"),
        ({"cost": [], "score": []}, "no point"),
        ({"score": [1, 2, math.nan, 4, 5, 6]}, "point 2.*diverged"),
        ({"cost": [1, 2, 3, math.inf, 5, 6]}, "point 3"),
        ({"cost": [-1, 2, 3, 4, 5, 6]}, "point 0"),
        ({"cost": np.zeros(6)}, "no point.*has trained"),
        ({"p_max": 0.0}, "p_max is 0.0 and p0 is 0.0"),
        ({"p_max": -1.0}, "give its negative"),
        ({"p0": math.nan}, "p0 is nan"),
        ({"cost_full": 0.0}, "cost_full is 0"),
        ({"level": 95}, "level is 95"),
    ],
)
def test_unusable_input_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        fit_curve(**GOOD | change)


@pytest.mark.parametrize("cost", [-1.0, math.nan])
def test_a_meaningless_cost_is_not_predicted(cost):
    with pytest.raises(ValueError, match="cost holds"):
        fit_curve(**GOOD).predict([1.0, cost])
