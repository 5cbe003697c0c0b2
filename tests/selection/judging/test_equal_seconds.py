"""At equal seconds an arm is held against random's own curve, and never beyond its runs."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.judging.equal_seconds import (
    FASTER,
    SLOWER,
    UNTIMED,
    judge_at_equal_seconds,
    loss_at,
)
from selection.judging.judged import judge_arms
from selection.judging.result import Arm, ArmSeconds

N_SEEDS, N_EXAMPLES = 3, 200
OPTIONS = {"level": 0.95, "n_resamples": 300}
BUDGETS = {"5pct": 10.0, "10pct": 20.0, "20pct": 40.0}
"""Seconds of random at each budget."""


def arm(method, budget, seconds, loss, rng, tokens_E):
    """An arm whose every example loses about `loss` a token."""
    noise_SE = rng.normal(0, 0.002, (N_SEEDS, 1)) + rng.normal(0, 0.02, (N_SEEDS, N_EXAMPLES))
    figures = {"method": method, "budget": budget, "training_flops": 1.0, "underspent": ""}
    took = None if seconds is None else ArmSeconds(0.5 * seconds, 0.5 * seconds)
    return Arm(figures, (loss + noise_SE) * tokens_E, tokens_E, seconds=took)


def known_curve(seconds):
    """Loss of random after so many seconds."""
    return 6.0 - 0.3 * np.log(seconds)


def simulated(others, seed=0):
    """Random at its budgets, and arms of other methods given as (seconds, loss)."""
    rng = np.random.default_rng(seed)
    tokens_E = rng.integers(5, 100, N_EXAMPLES).astype(float)
    arms = [arm("random", key, s, known_curve(s), rng, tokens_E) for key, s in BUDGETS.items()]
    for number, (seconds, loss) in enumerate(others):
        arms.append(arm(f"m{number}", "10pct", seconds, loss, rng, tokens_E))
    return arms


def test_a_saving_that_its_own_seconds_eat_up_is_no_better_at_equal_seconds():
    """Better than random at the same budget, and just what random reaches in the same time."""
    arms = simulated([(35.0, known_curve(35.0)), (35.0, known_curve(35.0) - 0.1)])
    assert judge_arms(arms, **OPTIONS)["m0", "10pct"].verdict.label == "better"
    found = judge_at_equal_seconds(arms, **OPTIONS)
    assert found["m0", "10pct"].said == "not distinguishable"
    assert found["m1", "10pct"].said == "better"
    of_m0, of_m1 = (found[name, "10pct"].judgement for name in ("m0", "m1"))
    assert of_m1 is not None and of_m1.verdict.difference == pytest.approx(-0.1, abs=0.01)
    assert of_m0 is not None and of_m0.verdict.difference == pytest.approx(0.0, abs=0.01)


def test_many_arms_without_any_effect_are_counted():
    """Of 40 such arms some have an interval without zero, and hardly any is left by Holm."""
    arms = simulated([(20.0, known_curve(20.0))] * 40)
    found = [one.judgement for one in judge_at_equal_seconds(arms, **OPTIONS).values()]
    raw = [one for one in found if one and one.verdict.label != "not distinguishable"]
    assert raw
    assert all(one.corrected_p >= one.verdict.p_value for one in raw)
    assert [one for one in raw if one.corrected != "not distinguishable"] == []


@pytest.mark.parametrize("budget", BUDGETS)
def test_at_a_budget_s_own_seconds_the_verdict_is_that_budget_s(budget):
    arms = simulated([(BUDGETS[budget], 5.0)])
    there = [*arms[:-1], replace(arms[-1], figures=arms[-1].figures | {"budget": budget})]
    plain = judge_arms(there, **OPTIONS)["m0", budget].verdict
    judged = judge_at_equal_seconds(arms, **OPTIONS)["m0", "10pct"].judgement
    assert judged is not None
    found = judged.verdict
    assert dataclasses.astuple(found)[1:] == pytest.approx(dataclasses.astuple(plain)[1:])
    assert found.label == plain.label


def test_an_underspent_arm_is_compared_with_nothing():
    arms = simulated([(20.0, 5.0)])
    spent = [replace(one, figures=one.figures | {"underspent": "why"}) for one in arms]
    assert judge_at_equal_seconds([*arms[:-1], spent[-1]], **OPTIONS) == {}
    found = judge_at_equal_seconds([*spent[:-1], arms[-1]], **OPTIONS)["m0", "10pct"]
    assert found.said == UNTIMED


def test_outside_of_random_s_runs_nothing_is_said():
    found = judge_at_equal_seconds(simulated([(9.9, 5.0), (40.1, 5.0), (None, 5.0)]), **OPTIONS)
    said = [found[f"m{number}", "10pct"] for number in range(3)]
    assert [one.said for one in said] == [FASTER, SLOWER, UNTIMED]
    assert all(one.judgement is None for one in said)


def test_without_a_timed_random_nothing_is_said():
    arms = [replace(one, seconds=None) for one in simulated([])] + simulated([(20.0, 5.0)])[3:]
    assert judge_at_equal_seconds(arms, **OPTIONS)["m0", "10pct"].said == UNTIMED


@given(
    st.lists(st.floats(0.1, 1e5), min_size=2, max_size=5, unique=True),
    st.floats(0, 1),
    st.floats(-3, 3),
)
def test_a_curve_linear_in_the_logarithm_of_time_is_found_again(times, part, slope):
    """Whatever the order in which random's runs are given."""
    seconds = float(np.exp((1 - part) * np.log(min(times)) + part * np.log(max(times))))
    seconds = min(max(seconds, min(times)), max(times))
    points = [(time, np.full((2, 3), 4.0 + slope * np.log(time))) for time in times]
    found = loss_at(seconds, points)
    assert found is not None and found.shape == (2, 3)
    np.testing.assert_allclose(found, 4.0 + slope * np.log(seconds), rtol=1e-6, atol=1e-6)


def test_what_cannot_be_interpolated_is_refused():
    with pytest.raises(ValueError, match="seconds must be positive"):
        loss_at(0.0, [(1.0, np.ones((1, 2)))])
    with pytest.raises(ValueError, match="evaluate them again"):
        loss_at(1.5, [(1.0, np.ones((1, 2))), (2.0, np.ones((2, 2)))])
