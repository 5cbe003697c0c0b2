"""Break-evens of a study, and what its methods selected in common."""

import math
from dataclasses import replace

import numpy as np
import pytest
from planted import COSTS, planted

from docs.results.overlap import jaccard, mean_overlap
from selection.judging.paying import paying


def found(effects, seed=1, **options):
    study = planted("t", effects, rng=np.random.default_rng(seed), seed_noise=1e-4, **options)
    return {(each.method, each.budget): each for each in paying(study)}


def test_a_free_method_that_is_better_pays_at_once_and_one_that_is_worse_never():
    at = found({"random": 0.0, "dsir": -0.1})
    assert all(each.result.targets == 1.0 for each in at.values())
    at = found({"random": 0.0, "dsir": 0.2}, seed=2)
    assert at["dsir", "2.5pct"].result.targets == math.inf


def test_a_dear_method_that_is_better_pays_from_enough_targets():
    at = found({"random": 0.0, "gradient": -0.1})
    gradient = at["gradient", "10pct"]
    assert gradient.result.targets is not None and 1.0 <= gradient.result.targets < math.inf
    assert gradient.pool == COSTS["gradient"].pool
    # At 2.5 % it cannot be afforded alone; shared by enough targets it can.
    small = at["gradient", "2.5pct"].result
    assert small.targets is not None and 60e9 / 25e9 < small.targets < math.inf


def test_what_each_target_pays_of_its_own_cannot_be_shared():
    at = found({"random": 0.0, "perplexity": 0.2})
    assert at["perplexity", "2.5pct"].result.targets == math.inf
    assert at["perplexity", "2.5pct"].pool == 0.0


def test_identical_arms_break_even_at_once():
    at = found({"random": 0.0, "dsir": 0.0}, identical=["dsir"])
    assert all(each.result.targets == 1.0 for each in at.values())


def test_beyond_what_was_measured_the_fitted_curves_answer():
    at = found({"random": 0.0, "dsir": 0.1})
    assert at["dsir", "25pct"].basis == "fitted"
    assert at["dsir", "2.5pct"].basis == "measured"


def test_without_random_there_is_no_break_even():
    assert found({"ot": 0.0}) == {}


def test_without_the_line_that_curves_begin_at_they_are_refused():
    study = planted("t", {"random": 0.0}, rng=np.random.default_rng(1))
    with pytest.raises(ValueError, match="lacks the line fine_tuning_only"):
        paying(replace(study, lines={}))


def test_jaccard_is_rows_in_both_over_rows_in_either():
    assert jaccard(frozenset("abc"), frozenset("bcd")) == pytest.approx(2 / 4)
    assert jaccard(frozenset(), frozenset()) == 1.0
    assert jaccard(frozenset("a"), frozenset()) == 0.0


def test_overlaps_are_symmetric_and_one_with_itself_and_chance_between_strangers():
    study = planted("t", {"random": 0.0, "ot": 0.0, "dsir": 0.0}, rng=np.random.default_rng(2))
    methods, jaccard_MM = mean_overlap([study], "5pct")
    assert methods == ["random", "ot", "dsir"]
    np.testing.assert_array_equal(np.diag(jaccard_MM), 1.0)
    np.testing.assert_array_equal(jaccard_MM, jaccard_MM.T)
    # 40 of 400 rows each: 4 in common and 76 in either are expected.
    assert 0 <= jaccard_MM[0, 1] < 0.2


def test_the_mean_overlap_is_over_the_targets_on_which_both_methods_ran():
    rng = np.random.default_rng(3)
    one = planted("one", {"random": 0.0, "ot": 0.0}, rng=rng)
    other = planted("other", {"random": 0.0, "dsir": 0.0}, rng=rng)
    methods, mean_MM = mean_overlap([one, other], "5pct")
    assert methods == ["random", "ot", "dsir"]
    assert mean_MM[0, 1] == mean_overlap([one], "5pct")[1][0, 1]
    assert math.isnan(mean_MM[1, 2])


def test_a_draw_that_is_not_there_is_refused():
    study = planted("t", {"random": 0.0}, rng=np.random.default_rng(1))
    drawn = [replace(arm, selected={7: frozenset("a")}) for arm in study.arms]
    with pytest.raises(ValueError, match="has no draw 0"):
        mean_overlap([replace(study, arms=drawn)], "5pct")


def test_a_budget_that_random_could_not_spend_has_no_break_even():
    study = planted("t", {"random": 0.0, "dsir": -0.1}, rng=np.random.default_rng(1))
    arms = [
        replace(a, figures={**a.figures, "underspent": "spent little"})
        if (a.method, a.budget) == ("random", "5pct")
        else a
        for a in study.arms
    ]
    budgets = {each.budget for each in paying(replace(study, arms=arms))}
    assert budgets == {"2.5pct", "10pct", "25pct"}
