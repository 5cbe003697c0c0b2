"""How wide verdicts are on few rows, known before anything is trained."""

import math

import numpy as np
import pytest
from one_pair import compare
from scipy import stats

from selection.judging.width import SMALL, least_half_width, width_text


@pytest.mark.parametrize("n_examples", [12, 50, 400])
def test_a_verdict_without_seed_noise_is_as_wide_as_told(n_examples):
    """Arms whose seeds agree differ by their rows alone."""
    rng = np.random.default_rng(n_examples)
    ratios = []
    for repetition in range(60):
        random_E = rng.normal(6.0, 1.0, n_examples)
        difference_E = rng.normal(0.0, 0.3, n_examples)
        arms = [np.tile(values, (3, 1)) for values in (random_E + difference_E, random_E)]
        verdict = compare(*arms, np.ones(n_examples), seed=repetition)
        ratios.append((verdict.high - verdict.low) / 2 / difference_E.std(ddof=1))
    assert np.median(ratios) == pytest.approx(least_half_width(n_examples), rel=0.05)


def test_it_is_the_interval_of_scipys_paired_test():
    differences = np.random.default_rng(0).normal(size=30)
    interval = stats.ttest_1samp(differences, 0.0).confidence_interval(0.95)
    half = (interval.high - interval.low) / 2
    assert half == pytest.approx(least_half_width(30) * differences.std(ddof=1))


def test_a_hundred_rows_see_a_small_effect_and_fifty_do_not():
    assert least_half_width(100) < SMALL < least_half_width(50)
    assert least_half_width(1) == math.inf
    assert width_text(50).startswith("on 50 rows no lead under 0.28 standard deviations")
