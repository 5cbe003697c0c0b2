"""How far seeds move a difference is told from all arms, and never less than two ways tell."""

import numpy as np
import pytest
from planted import planted
from scipy.stats import ttest_ind

from selection.judging.estimates import Estimate, together
from selection.judging.judged import judge, judge_arms
from selection.judging.seed_spread import seed_spread
from selection.judging.verdicts import UNDECIDED


def plain(methods, seeds, references, reference_seeds, at):
    """By the definition, one method at a time."""
    n = reference_seeds[at]

    def mean(variances, counts):
        return np.average(variances, weights=np.array(counts) - 1)

    found = []
    for own in seeds:
        apart = mean(methods, seeds) / own + mean(references, reference_seeds) / n
        alike = mean([*methods, references[at]], [*seeds, n]) * (1 / own + 1 / n)
        found.append(max(apart, alike))
    return found


def test_it_is_the_larger_of_two_means():
    rng = np.random.default_rng(1)
    for _ in range(50):
        methods, references = rng.exponential(size=4), rng.exponential(size=3)
        seeds, counts = rng.integers(2, 6, 4), rng.integers(2, 6, 3)
        for at in range(3):
            variance_M, _ = seed_spread(methods, seeds, references, counts, at=at)
            np.testing.assert_allclose(variance_M, plain(methods, seeds, references, counts, at))


def test_degrees_of_freedom_are_those_of_the_seeds_that_tell():
    quiet, loud = [1.0] * 5, [9.0, 9.0]
    _, alike = seed_spread(quiet, [3] * 5, [0.5, 0.5], [3, 3], at=0)
    assert alike == pytest.approx(2 * 6)
    _, apart = seed_spread(quiet, [3] * 5, loud, [3, 3], at=0)
    assert apart == pytest.approx((1 + 9) ** 2 / (1 / 10 + 81 / 4))


def test_many_studies_at_once_are_each_judged_by_itself():
    rng = np.random.default_rng(2)
    methods, references = rng.exponential(size=(7, 4)), rng.exponential(size=(7, 2))
    at_once = seed_spread(methods, [3] * 4, references, [3, 3], at=1)
    for i in range(7):
        alone = seed_spread(methods[i], [3] * 4, references[i], [3, 3], at=1)
        for one, many in zip(alone, at_once, strict=True):
            np.testing.assert_allclose(many[i], one)


def test_one_method_at_one_budget_has_only_its_own_seeds_which_is_welchs_test():
    one, other = np.random.default_rng(3).normal(size=(2, 3))
    spread = seed_spread([one.var(ddof=1)], [3], [other.var(ddof=1)], [3], at=0)
    found = Estimate.of(one.mean() - other.mean(), tuple(float(np.ravel(x)[0]) for x in spread))
    assert found.p_value == pytest.approx(ttest_ind(one, other, equal_var=False).pvalue)


def test_parts_without_any_variance_are_known_for_sure():
    variance, freedom = together((0.0, 2), (0.0, 5))
    assert variance == 0.0 and freedom == np.inf


def test_a_lead_that_its_own_three_seeds_would_not_show_is_seen_among_many_arms():
    """Its power by its own seeds, corrected for 24 arms, was 0.42."""
    effects = dict.fromkeys(
        ("random", "dsir", "embedding", "embedding_round_robin", "perplexity", "gradient"), 0.0
    )
    rng = np.random.default_rng(4)
    seen = []
    for _ in range(30):
        study = planted("t", effects | {"ot": -0.02}, rng=rng)
        found = judge(study).judgements
        seen += [found["ot", key].corrected == "better" for key in study.budgets]
    print(f"{np.mean(seen):.0%} seen")
    assert np.mean(seen) > 0.8


def test_two_seeds_give_an_interval_and_no_verdict():
    study = planted("t", {"random": 0.0, "ot": -0.5}, rng=np.random.default_rng(5), n_seeds=2)
    for judgement in judge(study).judgements.values():
        assert judgement.verdict.low < judgement.verdict.high < 0
        assert judgement.verdict.label == judgement.corrected == "no verdict: two seeds"
    assert {arm.figures["corrected"] for arm in study.arms} == {
        "reference",
        "no verdict: two seeds",
    }


def test_against_another_reference_signs_turn_round():
    study = planted("t", {"random": 0.0, "ot": -0.2}, rng=np.random.default_rng(6))
    one = judge(study).judgements
    other = judge_arms(study.arms, level=0.95, n_resamples=200, reference="ot")
    for budget in study.budgets:
        assert one["ot", budget].corrected == "better" != UNDECIDED
        assert other["random", budget].corrected == "worse"
