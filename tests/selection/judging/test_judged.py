"""Verdicts of a whole table, corrected for how many there are; equal data; refusals."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_pair import compare
from planted import planted
from scipy.stats import ttest_ind

from docs.results.equal_data import equal_data
from docs.results.evidence import on_most
from docs.results.method_claims import tallies
from selection.judging.judged import judge
from selection.judging.multiplicity import holm
from selection.judging.result import SelectionCost
from selection.judging.verdicts import UNDECIDED

P_VALUES = st.lists(st.floats(0, 1), max_size=12)


def plain_holm(p):
    """By the definition: hypotheses are rejected by rising p until one fails."""
    order, adjusted, reached = sorted(range(len(p)), key=p.__getitem__), [0.0] * len(p), 0.0
    for k, i in enumerate(order):
        reached = max(reached, min(1.0, (len(p) - k) * p[i]))
        adjusted[i] = reached
    return adjusted


@given(P_VALUES)
def test_holm_is_its_own_definition(p):
    np.testing.assert_allclose(holm(p), plain_holm(p))


def test_what_is_no_probability_is_refused():
    for bad in ([1.1], [-0.1], [math.nan], [[0.5]]):
        with pytest.raises(ValueError, match="from 0 to 1"):
            holm(bad)


def test_planted_effects_are_found_and_survive_the_correction():
    rng = np.random.default_rng(1)
    judged = judge(
        planted("t", {"random": 0.0, "ot": -0.2, "dsir": 0.2, "embedding": 0.0}, rng=rng)
    )
    for (method, _), judgement in judged.judgements.items():
        wanted = {"ot": "better", "dsir": "worse", "embedding": UNDECIDED}[method]
        assert judgement.corrected == wanted
        assert judgement.corrected_p >= judgement.verdict.p_value


def test_the_judgement_is_the_frontiers_own():
    study = planted("t", {"random": 0.0, "ot": -0.01}, rng=np.random.default_rng(2))
    judged = judge(study)
    for arm in study.arms:
        if arm.method == "ot":
            verdict = judged.judgements["ot", arm.budget].verdict
            assert verdict.label == arm.figures["verdict"]
            assert verdict.difference == arm.figures["difference"]
            assert verdict.low == arm.figures["difference_low"]


def test_among_many_arms_without_effect_a_false_verdict_is_rare_only_when_corrected():
    """60 tables of 24 arms: raw, most show some "better" or "worse"; corrected, few do."""
    nothing = dict.fromkeys(
        ("random", "dsir", "embedding", "embedding_round_robin", "ot", "perplexity", "gradient"),
        0.0,
    )
    rng = np.random.default_rng(3)
    raw = corrected = 0
    for _ in range(60):
        judgements = judge(planted("t", nothing, rng=rng, n_examples=60)).judgements.values()
        raw += any(each.verdict.label != UNDECIDED for each in judgements)
        corrected += any(each.corrected != UNDECIDED for each in judgements)
    print(f"{raw} tables of 60 with a false verdict, {corrected} after Holm")
    assert corrected <= 6 < raw


def test_identical_arms_are_not_distinguishable_with_certainty():
    study = planted(
        "t", {"random": 0.0, "dsir": 0.0}, rng=np.random.default_rng(4), identical=["dsir"]
    )
    for judgement in judge(study).judgements.values():
        assert judgement.verdict.difference == 0.0
        assert judgement.verdict.p_value == judgement.corrected_p == 1.0
        assert judgement.corrected == UNDECIDED


def test_without_random_nothing_is_judged():
    study = planted("t", {"ot": 0.0, "dsir": 0.0}, rng=np.random.default_rng(5))
    assert judge(study).judgements == {}


def test_equal_cost_is_equal_data_where_selection_costs_almost_nothing():
    rng = np.random.default_rng(6)
    study = planted("t", {"random": 0.0, "ot": -0.2, "perplexity": -0.2}, rng=rng)
    near = equal_data(study, "ot", "random")["25pct"]
    assert near.label == "better" and near.how == "equal data"
    # Perplexity spends 21e9 of 25e9: better on a fraction of the data is better at equal data.
    far = equal_data(study, "perplexity", "random")["2.5pct"]
    assert far.label == "better" and far.how.startswith("a fortiori, with 84%")
    # Random, with more data, is worse all the same: a fortiori, too.
    back = equal_data(study, "random", "perplexity")["2.5pct"]
    assert back.label == "worse" and "more data" in back.how


def test_a_dearer_method_that_is_behind_is_not_judged_at_equal_data():
    rng = np.random.default_rng(7)
    study = planted("t", {"random": 0.0, "perplexity": 0.2}, rng=rng)
    found = equal_data(study, "perplexity", "random")["2.5pct"]
    assert found.label is None and found.how.startswith("not judged")
    assert equal_data(study, "ot", "random") == {}
    judged = [judge(study)]
    tally = tallies(judged, "perplexity", "random")["2.5pct"]
    assert tally == {None: 1} and not on_most(tally)
    at_cost = tallies(judged, "perplexity", "random", equal_cost=True)["2.5pct"]
    assert at_cost == {"worse": 1} and on_most(at_cost, "worse")


def test_a_study_whose_arms_cannot_be_compared_is_refused():
    study = planted("t", {"random": 0.0, "ot": 0.0}, rng=np.random.default_rng(8))
    with pytest.raises(ValueError, match="is there twice"):
        replace(study, arms=[*study.arms, study.arms[0]])
    with pytest.raises(ValueError, match="the budgets are"):
        replace(study, budgets={"5pct": 1.0})
    with pytest.raises(ValueError, match="what its selection costs"):
        replace(study, costs={"random": SelectionCost({}, frozenset())})
    other = replace(study.arms[1], tokens_E=study.arms[1].tokens_E + 1)
    with pytest.raises(ValueError, match="other examples"):
        replace(study, arms=[study.arms[0], other])


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_a_p_value_is_below_the_level_exactly_where_the_interval_leaves_zero_out(level):
    rng = np.random.default_rng(9)
    for _ in range(40):
        arm_SE, random_SE = rng.normal(5.0, 0.5, (2, 3, 20))
        verdict = compare(arm_SE, random_SE, np.ones(20), level=level, n_resamples=200)
        assert (verdict.p_value < 1 - level) == (verdict.label != UNDECIDED)
        assert 0.0 <= verdict.p_value <= 1.0


def test_with_seed_noise_alone_the_p_value_is_welchs():
    score_2S = np.array([[6.1, 6.4, 6.2], [6.5, 6.6, 6.9]])
    arm_SE, random_SE = np.repeat(score_2S[:, :, None], 50, axis=2)
    verdict = compare(arm_SE, random_SE, np.ones(50), n_resamples=20_000)
    welch = ttest_ind(*score_2S, equal_var=False)
    assert verdict.p_value == pytest.approx(welch.pvalue, abs=0.004)
