"""Curves of several methods fitted together: planted rates, scipy's own fit, coverage, refusals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import curve_fit

from selection.curves import Point, crossing, fit_curve, fit_curves

SHARES = np.array([0.025, 0.05, 0.1, 0.25, 0.5, 1.0])
RATES = {"random": 3.0, "ot": 8.0, "gradient": 25.0}


def offset(share, p0, p_max, rate):
    return (p_max - p0) * (1 - np.exp(-rate * share)) + p0


def arms(rng=None, *, rates=RATES, p0=45.0, p_max=47.0, noise=0.1):
    rows = {}
    for name, rate in rates.items():
        scores = offset(SHARES, p0, p_max, rate)
        if rng is not None:
            scores = scores + rng.normal(0.0, noise, len(scores))
        rows[name] = [Point(cost, score, name) for cost, score in zip(SHARES, scores, strict=True)]
    return rows


@settings(deadline=None, max_examples=30)
@given(
    log_rates=st.lists(st.floats(math.log(0.8), math.log(50.0)), min_size=2, max_size=4),
    p0=st.floats(-9.0, 60.0),
    rise=st.floats(0.1, 40.0),
)
def test_planted_rates_and_ends_are_recovered_without_noise(log_rates, p0, rise):
    rates = {str(i): math.exp(x) for i, x in enumerate(log_rates)}
    fit = fit_curves(arms(rates=rates, p0=p0, p_max=p0 + rise))
    for name, rate in rates.items():
        curve = fit[name]
        assert curve.rate == pytest.approx(rate, rel=1e-3)
        assert curve.p0 == pytest.approx(p0, abs=1e-3 * rise)
        assert curve.p_max == pytest.approx(p0 + rise, abs=1e-3 * rise)


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_scipy_s_curve_fit_of_all_methods_at_once(seed):
    rows = arms(np.random.default_rng(seed))
    fit = fit_curves(rows)
    which = np.repeat(np.arange(3), 6)

    def all_curves(share, p0, p_max, *log_rates):
        return offset(share, p0, p_max, np.exp(np.array(log_rates))[which])

    start = [45.0, 47.0, *(math.log(rate) for rate in RATES.values())]
    scores = [point.score for points in rows.values() for point in points]
    found, covariance = curve_fit(all_curves, np.tile(SHARES, 3), scores, p0=start)
    for m, curve in enumerate(fit.values()):
        assert [curve.p0, curve.p_max] == pytest.approx(found[:2], rel=1e-6)
        assert curve.rate == pytest.approx(math.exp(found[2 + m]), rel=1e-3)
        own = [0, 1, 2 + m]
        assert curve.covariance == pytest.approx(covariance[np.ix_(own, own)], rel=1e-2, abs=1e-7)
        assert curve.freedom == 18 - 5


def test_one_method_with_a_given_start_is_the_single_fit():
    points = arms(np.random.default_rng(7))["ot"]
    joint = fit_curves({"ot": points}, p0=45.0)["ot"]
    alone = fit_curve(SHARES, [p.score for p in points], p0=45.0, p_max=None)
    assert joint == alone


def test_intervals_cover_the_planted_rates_about_as_often_as_they_say():
    rng = np.random.default_rng(43)
    repetitions = 200
    covered = np.zeros(4)
    for _ in range(repetitions):
        fit = fit_curves(arms(rng))
        inside = [c.rate_low <= RATES[name] <= c.rate_high for name, c in fit.items()]
        _, low, high = fit["ot"].predict(0.15)
        covered += [*inside, low <= offset(0.15, 45.0, 47.0, 8.0) <= high]
    assert (covered >= 0.905 * repetitions).all() and (covered <= 0.99 * repetitions).all()


def test_a_point_given_twice_at_half_weight_counts_once():
    rows = arms(np.random.default_rng(8))
    once = fit_curves(rows)
    twice = fit_curves(
        {name: [*points, points[-1]] for name, points in rows.items()},
        weights={name: [1, 1, 1, 1, 1, 0.5, 0.5] for name in rows},
    )
    for name in rows:
        for field in ("rate", "rate_low", "rate_high", "p0", "p_max_high", "residual_std"):
            expected = getattr(once[name], field)
            assert getattr(twice[name], field) == pytest.approx(expected, rel=1e-4)


def test_only_the_method_without_a_rate_is_said_to_have_none():
    rows = arms(np.random.default_rng(9))
    rows["useless"] = [Point(share, 45.0 - share, "useless") for share in SHARES]
    fit = fit_curves(rows, p0=45.0)
    assert {name for name, curve in fit.items() if curve.determined} == set(RATES)
    assert math.isinf(fit["useless"].predict(0.5)[2])
    assert math.isfinite(fit["ot"].predict(0.5)[2])
    assert math.isfinite(fit["ot"].p_max_high)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), selection=st.floats(0.05, 0.5))
def test_on_total_costs_the_start_is_pushed_back_along_the_same_curve(seed, selection):
    points = arms(np.random.default_rng(seed), noise=0.02)["ot"]
    trained = fit_curves({"ot": points}, cost_full=1.0)["ot"]
    total = fit_curves({"ot": [(p.cost + selection, p.score) for p in points]}, cost_full=1.0)
    moved = total["ot"]
    assert moved.rate == pytest.approx(trained.rate, rel=1e-3)
    back = (trained.p_max - trained.p0) * math.exp(trained.rate * selection)
    assert moved.p_max - moved.p0 == pytest.approx(back, rel=1e-2)


def test_the_crossing_of_fitted_curves_is_where_they_meet():
    fit = fit_curves(arms(), p0=45.0, p_max=47.0)
    met = crossing(fit["random"].rate, fit["gradient"].rate, 0.0, 0.3)
    assert met is not None
    assert met == pytest.approx(25 * 0.3 / 22, rel=1e-6)
    slow, fast = fit["random"].predict(met)[0], fit["gradient"].predict(met - 0.3)[0]
    assert slow == pytest.approx(fast)


def test_another_model_is_refused():
    fit = fit_curves(arms(), model="7B")
    with pytest.raises(ValueError, match=r"7B, not for 70B.*does not transfer"):
        fit["ot"].predict(0.5, model="70B")


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ({}, {}, "points_by_method is empty"),
        ({"a": [(1, 2), (2, 3)]}, {}, "2 points cannot determine 3 parameters"),
        ({"a": [(1, 2), (2, math.nan), (3, 4)]}, {}, "point 1 of method 'a'"),
        ({"a": [(1, 2), (2, 3), (3, 4)], "b": []}, {}, "no point of method 'b'"),
        ({"a": [(1, 2), (2, 3), (3, 4)]}, {"p0": 5.0, "p_max": 5.0}, "must exceed"),
        ({"a": [(1, 2), (2, 3), (3, 4)]}, {"weights": {"a": [1, 1]}}, "3 positive numbers"),
        ({"a": [(1, 2), (2, 3), (3, 4)]}, {"weights": {"a": [1, 1, 0]}}, "3 positive numbers"),
        ({"a": [(1, 2), (2, 3), (3, 4)]}, {"weights": {}}, "method 'a' must be 3"),
        ({"a": [(1, 2), (2, 3), (3, 4)]}, {"level": 1.0}, "level is 1"),
    ],
)
def test_unusable_input_is_refused(rows, options, message):
    with pytest.raises(ValueError, match=message):
        fit_curves(rows, **options)
