"""A row's place in the pool's perplexities is that of its definition, ties included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import percentileofscore

from selection.methods.perplexity.distribution import Distribution

# Few distinct values, so that ties are common.
LOSSES = st.lists(st.sampled_from([0.5, 1.25, 2.0, 2.5, 3.75, 9.0]), min_size=1, max_size=40)


@given(LOSSES, st.lists(st.floats(0, 10), max_size=5))
def test_quantiles_are_scipys_mean_percentiles(pool, others):
    values = np.array([*pool, *others])
    expected = percentileofscore(pool, values, kind="mean") / 100
    np.testing.assert_allclose(Distribution(np.sort(pool)).quantile(values), expected, atol=1e-12)


@given(st.lists(st.floats(0, 20), min_size=1, max_size=60, unique=True))
def test_bands_without_ties_are_the_thirds_of_the_sorted_pool(pool):
    order = np.argsort(pool)
    bands = Distribution(np.sort(pool)).band(np.array(pool))[order]
    places = (np.arange(len(pool)) + 0.5) / len(pool)
    expected = np.where(places < 1 / 3, "low", np.where(places > 2 / 3, "high", "mid"))
    # Places that are exactly a third are of the middle, which rounding would hide.
    exact = np.isclose(places, 1 / 3, atol=1e-12) | np.isclose(places, 2 / 3, atol=1e-12)
    assert (bands[~exact] == expected[~exact]).all()
    assert (bands[exact] == "mid").all()


@given(LOSSES)
def test_low_and_high_rank_as_sorting_does_and_are_each_others_reverse(pool):
    values = np.array(pool)
    distribution = Distribution(np.sort(values))
    low, high = (distribution.score(values, band) for band in ("low", "high"))
    np.testing.assert_array_equal(
        np.argsort(-low, kind="stable"), np.argsort(values, kind="stable")
    )
    np.testing.assert_array_equal(low, -high)


@given(LOSSES)
def test_mid_ranks_by_the_distance_to_the_median_and_has_the_middle_band_first(pool):
    values = np.array(pool)
    distribution = Distribution(np.sort(values))
    score, band = distribution.score(values, "mid"), distribution.band(values)
    distances = np.abs(percentileofscore(pool, values, kind="mean") / 100 - 0.5)
    np.testing.assert_allclose(-score, distances, atol=1e-12)
    if (band == "mid").any() and (band != "mid").any():
        assert score[band == "mid"].min() > score[band != "mid"].max()


def test_rows_equally_far_from_the_median_on_either_side_tie_exactly():
    values = np.arange(7.0)
    score = Distribution(values).score(values, "mid")
    np.testing.assert_array_equal(score, score[::-1])
    assert score.argmax() == 3


def test_a_band_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="unknown band 'top'; known: low, mid, high"):
        Distribution(np.arange(3.0)).score(np.arange(3.0), "top")
