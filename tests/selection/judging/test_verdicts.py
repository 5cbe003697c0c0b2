"""Intervals and verdicts: honest with three seeds, and able to see a real difference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_pair import compare
from scipy import stats

from selection.judging.intervals import score_interval
from selection.judging.verdicts import TWO_SEEDS, UNDECIDED


def losses(rng, *, n_seeds, n_examples, seed_noise, shift=0.0):
    """Simulate per-token losses around 6 for two arms, the first `shift` away from the second."""
    difficulty_E = rng.normal(6.0, 1.0, n_examples)
    tokens_E = rng.integers(5, 200, n_examples)
    arms = [
        difficulty_E
        + offset
        + rng.normal(0.0, seed_noise, (n_seeds, 1))
        + rng.normal(0.0, 0.05, (n_seeds, n_examples))
        for offset in (shift, 0.0)
    ]
    return arms[0] * tokens_E, arms[1] * tokens_E, tokens_E


SHAPES = [
    (n_seeds, n_examples, seed_noise)
    for n_seeds in (2, 3)
    for n_examples in (300, 500)
    for seed_noise in (0.0, 0.02)
]
REPETITIONS = 200


def share_called(label, n_repetitions, *, shift=0.0, seed, **shape):
    """Share of simulated pairs of arms whose interval says this; two seeds give no other label."""
    rng = np.random.default_rng(seed)
    said = []
    for repetition in range(n_repetitions):
        found = compare(*losses(rng, shift=shift, **shape), n_resamples=500, seed=repetition)
        by_interval = "better" if found.high < 0 else "worse" if found.low > 0 else UNDECIDED
        assert found.label == (TWO_SEEDS if shape["n_seeds"] == 2 else by_interval)
        said.append(by_interval)
    return said.count(label) / n_repetitions


# Over 2,000 repetitions of these shapes the share is 0.96 with seed noise and 0.99 without, so
# that 200 fall short of 0.93 once in some thirty draws; these are drawn from a fixed seed.
@pytest.mark.parametrize(
    ("n_seeds", "n_examples", "seed_noise"), [*SHAPES, (3, 200, 0.005), (3, 200, 0.1)]
)
def test_identical_arms_are_rarely_told_apart(n_seeds, n_examples, seed_noise):
    share = share_called(
        "not distinguishable",
        REPETITIONS,
        seed=11,
        n_seeds=n_seeds,
        n_examples=n_examples,
        seed_noise=seed_noise,
    )
    print(f"{share:.1%} called not distinguishable")
    assert share >= 0.93


def test_identical_accuracies_are_rarely_told_apart():
    rng = np.random.default_rng(19)
    labels = []
    for repetition in range(REPETITIONS):
        easy_E = rng.beta(2.0, 1.0, 400)
        arm_SE, random_SE = (rng.random((3, 400)) < easy_E for _ in range(2))
        verdict = compare(arm_SE, random_SE, np.ones(400), n_resamples=500, seed=repetition)
        labels.append(verdict.label)
    share = labels.count("not distinguishable") / REPETITIONS
    print(f"{share:.1%} called not distinguishable")
    assert share >= 0.93


# Two seeds leave Student's t two degrees of freedom, so they see only what is large.
@pytest.mark.parametrize(("n_seeds", "shift", "least"), [(3, -0.15, 0.99), (2, -0.3, 0.9)])
@pytest.mark.parametrize("seed_noise", [0.0, 0.02])
def test_a_planted_difference_is_found_nearly_always(n_seeds, shift, least, seed_noise):
    share = share_called(
        "better",
        REPETITIONS,
        shift=shift,
        seed=20,
        n_seeds=n_seeds,
        n_examples=300,
        seed_noise=seed_noise,
    )
    print(f"{share:.1%} called better")
    assert share >= least


def test_the_interval_of_one_arm_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(12)
    covered = 0
    for repetition in range(200):
        arm_SE, _, tokens_E = losses(rng, n_seeds=3, n_examples=200, seed_noise=0.05)
        interval = score_interval(arm_SE, tokens_E, n_resamples=500, seed=repetition)
        covered += interval.low <= 6.0 <= interval.high
    assert 0.91 * 200 <= covered <= 0.99 * 200


def test_a_planted_difference_is_found_in_both_directions():
    rng = np.random.default_rng(13)
    arm_SE, random_SE, tokens_E = losses(
        rng, n_seeds=3, n_examples=300, seed_noise=0.01, shift=-0.15
    )
    found = compare(arm_SE, random_SE, tokens_E)
    assert found.label == "better"
    assert found.low < -0.15 < found.high < 0
    assert compare(random_SE, arm_SE, tokens_E).label == "worse"


def test_the_arm_with_more_of_the_loss_is_worse():
    rng = np.random.default_rng(14)
    arm_SE = rng.random((3, 400)) < 0.9
    random_SE = rng.random((3, 400)) < 0.6
    ones_E = np.ones(400)
    assert compare(random_SE, arm_SE, ones_E).label == "better"
    assert compare(arm_SE, random_SE, ones_E).label == "worse"
    assert score_interval(arm_SE, ones_E).estimate == pytest.approx(arm_SE.mean())


def test_arms_that_agree_exactly_are_not_distinguishable():
    values_SE = np.tile(np.arange(1.0, 21.0), (3, 1))
    verdict = compare(values_SE, values_SE, np.ones(20))
    assert verdict.label == "not distinguishable"
    assert verdict.low == verdict.difference == verdict.high == 0.0


def test_with_seed_noise_alone_the_interval_is_the_t_interval_over_seeds():
    score_S = np.array([6.1, 6.4, 6.2])
    values_SE = np.repeat(score_S[:, None], 50, axis=1)
    interval = score_interval(values_SE, np.ones(50), n_resamples=20_000)
    low, high = stats.t.interval(0.95, 2, score_S.mean(), stats.sem(score_S))
    assert interval.low == pytest.approx(low, abs=0.01)
    assert interval.high == pytest.approx(high, abs=0.01)


def test_with_one_seed_the_interval_is_the_t_interval_over_examples():
    values_E = np.random.default_rng(15).normal(6.0, 1.0, 40)
    interval = score_interval(values_E[None], np.ones(40), n_resamples=20_000)
    low, high = stats.t.interval(0.95, 39, values_E.mean(), stats.sem(values_E))
    assert interval.low == pytest.approx(low, abs=0.02)
    assert interval.high == pytest.approx(high, abs=0.02)


def test_pairing_examples_hides_their_difficulty():
    rng = np.random.default_rng(16)
    arm_SE, random_SE, tokens_E = losses(rng, n_seeds=3, n_examples=300, seed_noise=0.001)
    paired = compare(arm_SE, random_SE, tokens_E)
    alone = score_interval(arm_SE, tokens_E)
    assert paired.high - paired.low < (alone.high - alone.low) / 5


def test_a_resample_too_big_for_one_block_is_drawn_in_several():
    rng = np.random.default_rng(17)
    values_SE = rng.normal(6.0, 1.0, (2, 30_000))
    interval = score_interval(values_SE, np.ones(30_000), n_resamples=200)
    assert interval.low < values_SE.mean() < interval.high


@settings(max_examples=25, deadline=None)
@given(data=st.data(), scale=st.floats(0.1, 10.0))
def test_the_estimate_is_the_weighted_mean_and_the_interval_scales_with_the_values(data, scale):
    n_seeds = data.draw(st.integers(1, 4))
    n_examples = data.draw(st.integers(2, 30))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    values_SE = rng.random((n_seeds, n_examples))
    weights_E = rng.integers(1, 9, n_examples)
    one = score_interval(values_SE, weights_E, n_resamples=100)
    many = score_interval(scale * values_SE, weights_E, n_resamples=100)
    assert one.estimate == pytest.approx((values_SE.sum(axis=1) / weights_E.sum()).mean())
    assert one.low <= one.estimate <= one.high
    assert many.low == pytest.approx(scale * one.low, rel=1e-6, abs=1e-9)
    assert many.high == pytest.approx(scale * one.high, rel=1e-6, abs=1e-9)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values_SE = np.random.default_rng(18).random((3, 50))
    first = score_interval(values_SE, np.ones(50), seed=1)
    assert first == score_interval(values_SE, np.ones(50), seed=1)
    assert first != score_interval(values_SE, np.ones(50), seed=2)


GOOD_SE, GOOD_E = np.ones((3, 4)), np.ones(4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((GOOD_SE[:1], GOOD_SE, GOOD_E), "ot at 5pct has 1 seed"),
        ((GOOD_SE, GOOD_SE[:, :3], GOOD_E), r"random at 5pct must have shape \(seeds, 4\)"),
        ((GOOD_SE, GOOD_SE[0], GOOD_E), "random at 5pct must have shape"),
        ((GOOD_SE * [[1], [np.nan], [1]], GOOD_SE, GOOD_E), r"ot at 5pct\[1, 0\] is nan"),
        ((GOOD_SE, GOOD_SE, [1, 0, 1, 1]), r"weights_E\[1\] is 0"),
        ((GOOD_SE[:, :1], GOOD_SE[:, :1], [1]), "at least two examples"),
    ],
)
def test_unusable_values_are_refused_by_name_and_place(arguments, message):
    with pytest.raises(ValueError, match=message):
        compare(*arguments)


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match="level is 95"):
        score_interval(GOOD_SE, GOOD_E, level=95)
    with pytest.raises(ValueError, match="n_resamples is 3"):
        score_interval(GOOD_SE, GOOD_E, n_resamples=3)
