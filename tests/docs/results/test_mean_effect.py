"""The mean over targets: its interval covers what it says, and it counts verdicts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import five, planted
from scipy import stats

from docs.results.mean_effect import mean_effects
from docs.results.words import best, verdicts, worth
from selection.judging.judged import judge
from selection.judging.multiplicity import holm
from selection.judging.over_targets import mean_difference


def mean_interval(difference_TS, *, of_seeds=0.0, level):
    found = mean_difference(difference_TS.mean(axis=1), of_seeds)
    return found.value, *found.interval(level)


@pytest.mark.parametrize("n_targets", [3, 4, 5])
@pytest.mark.parametrize(
    ("of_target", "of_seed", "of_both"), [(1, 0, 0.1), (0, 0, 1), (0, 1, 0.3), (1, 1, 0.3)]
)
def test_the_interval_covers_the_mean_whatever_varies(n_targets, of_target, of_seed, of_both):
    rng = np.random.default_rng(11)
    n, n_seeds = 1500, 3
    difference = (
        0.5
        + of_target * rng.normal(size=(n, n_targets, 1))
        + of_seed * rng.normal(size=(n, 1, n_seeds))
        + of_both * rng.normal(size=(n, n_targets, n_seeds))
    )
    # What all arms tell of the seeds: here the mean over the repetitions.
    of_seeds = float(difference.mean(axis=1).var(axis=1, ddof=1).mean()) / n_seeds
    found = np.array([mean_interval(d, of_seeds=of_seeds, level=0.95) for d in difference])
    covered = ((found[:, 1] <= 0.5) & (found[:, 2] >= 0.5)).mean()
    print(f"covered {covered:.1%}")
    assert covered > 0.92


def test_where_only_targets_vary_it_is_the_t_interval_over_targets():
    means = np.array([0.1, -0.3, -0.2, -0.4])
    low, high = stats.t.interval(0.95, 3, means.mean(), stats.sem(means))
    found = mean_interval(np.repeat(means[:, None], 3, axis=1), level=0.95)
    assert found == pytest.approx((means.mean(), low, high))


@given(st.integers(2, 6), st.integers(2, 4), st.floats(0.01, 100), st.integers(0, 2**32 - 1))
def test_it_scales_with_the_losses_and_contains_the_mean(n_targets, n_seeds, scale, seed):
    difference_TS = np.random.default_rng(seed).normal(size=(n_targets, n_seeds))
    mean, low, high = mean_interval(difference_TS, level=0.9)
    assert low <= mean <= high
    assert mean == pytest.approx(difference_TS.mean())
    scaled = mean_interval(scale * difference_TS, level=0.9)
    assert scaled == pytest.approx((scale * mean, scale * low, scale * high))


def test_one_target_says_nothing_of_others():
    assert mean_interval(np.array([[0.1, 0.2]]), level=0.95)[1:] == (-math.inf, math.inf)


@pytest.mark.parametrize("bad", [np.zeros(0), np.zeros((4, 1))])
def test_too_little_is_refused(bad):
    with pytest.raises(ValueError, match="one for each target"):
        mean_difference(bad, 0.0)


def test_a_loss_that_diverged_is_refused():
    with pytest.raises(ValueError, match="not finite"):
        mean_interval(np.array([[0.1, math.nan]]), level=0.95)


def test_planted_effects_are_found_over_the_targets():
    effects = {"random": 0.0, "ot": -0.2, "dsir": 0.0, "embedding": 0.15}
    found = mean_effects([judge(study) for study in five(effects, seed=1)])
    assert {each.budget for each in found} == {"2.5pct", "5pct", "10pct", "25pct"}
    for each in found:
        assert each.targets == each.raw.total() == each.corrected.total() == 5
        if each.method == "ot":
            assert each.label == "better" and each.corrected["better"] == 5
            assert each.low < -0.2 < each.high
        if each.method == "embedding":
            assert each.label == "worse" and each.corrected["worse"] == 5
        if each.method == "dsir":
            assert each.label == "not distinguishable"


def test_identical_arms_have_a_mean_of_zero_and_no_verdict():
    studies = five({"random": 0.0, "dsir": 0.0}, seed=2, identical=["dsir"])
    for each in mean_effects([judge(study) for study in studies]):
        assert each.difference == 0.0 and each.low == -each.high
        assert each.label == "not distinguishable"


def test_a_target_without_the_arm_or_without_random_is_left_out_of_the_mean():
    rng = np.random.default_rng(3)
    studies = [
        planted("all", {"random": 0.0, "ot": -0.1}, rng=rng),
        planted("too dear at first", {"random": 0.0, "ot": -0.1, "gradient": 0.0}, rng=rng),
        planted("no random", {"ot": -0.1}, rng=rng),
    ]
    found = {(e.method, e.budget): e for e in mean_effects([judge(study) for study in studies])}
    assert found["ot", "5pct"].targets == 2
    assert ("gradient", "2.5pct") not in found
    assert found["gradient", "25pct"].targets == 1
    assert found["gradient", "25pct"].high == math.inf


def test_other_numbers_of_seeds_are_refused():
    rng = np.random.default_rng(4)
    studies = [planted(str(n), {"random": 0.0, "ot": 0.0}, rng=rng, n_seeds=n) for n in (2, 3)]
    with pytest.raises(ValueError, match=r"\[2, 3\] seeds"):
        mean_effects([judge(study) for study in studies])


def test_a_mean_that_stands_by_itself_may_not_stand_among_all_that_are_looked_at():
    """Effects from none to clear: those at the edge are told apart alone, and not among all."""
    rng = np.random.default_rng(12)
    effects = {"random": 0.0, "ot": -0.3, "dsir": -0.02, "embedding": -0.024}
    studies = [judge(planted(str(i), effects, rng=rng, seed_noise=0.012)) for i in range(5)]
    found = mean_effects(studies)
    adjusted = holm([each.judgement.verdict.p_value for each in found])
    for each, p in zip(found, adjusted, strict=True):
        alone = each.judgement.verdict.label
        assert each.label == (alone if p < 0.05 else "not distinguishable")
    assert any(each.label != each.judgement.verdict.label for each in found)
    assert all(each.label == "better" for each in found if each.method == "ot")


def test_two_seeds_have_a_mean_and_no_verdict():
    studies = [judge(s) for s in five({"random": 0.0, "ot": -0.2}, seed=13, n_seeds=2)]
    for each in mean_effects(studies):
        assert each.high < 0 and each.label == "no verdict: two seeds"
    [line, *_] = best(mean_effects(studies), [study.result for study in studies])
    assert "there is no verdict: two seeds" in line
    assert "20 have no verdict" in verdicts(studies)
    assert worth(mean_effects(studies))[0].startswith("No selection is worth its cost")
