from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import cosine_similarity

from selection.neighbours import NearDuplicates, nearest_targets

RNG = np.random.default_rng(2)


def test_nearest_targets_agree_with_all_pairs():
    rows, target = RNG.normal(size=(50, 16)), RNG.normal(size=(20, 16))
    indices, cosines = nearest_targets(rows, target, 5)
    all_pairs = cosine_similarity(rows, target)
    np.testing.assert_array_equal(indices, np.argsort(-all_pairs, axis=1)[:, :5])
    np.testing.assert_allclose(cosines, -np.sort(-all_pairs, axis=1)[:, :5], atol=1e-7)


def test_equal_target_rows_come_by_index():
    target = np.tile(RNG.normal(size=(1, 16)), (4, 1))
    indices, cosines = nearest_targets(RNG.normal(size=(3, 16)), target, 4)
    np.testing.assert_array_equal(indices, np.tile(np.arange(4), (3, 1)))
    assert (cosines == cosines[:, :1]).all()


def test_asking_for_more_neighbours_than_target_rows_is_refused():
    with pytest.raises(ValueError, match="k is 4; with a target of 3 rows"):
        nearest_targets(np.ones((2, 5)), np.ones((3, 5)), 4)


def test_a_target_of_one_row_is_everyones_neighbour():
    indices, cosines = nearest_targets(np.eye(3, dtype=np.float16), np.eye(3)[:1], 1)
    np.testing.assert_array_equal(indices[:, 0], 0)
    np.testing.assert_allclose(cosines[:, 0], [1, 0, 0])


def test_no_rows_have_no_neighbours():
    indices, cosines = nearest_targets(np.empty((0, 4)), np.eye(4), 2)
    assert indices.shape == cosines.shape == (0, 2)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    chunk=st.integers(1, 60),
    threshold=st.sampled_from([0.5, 0.8, 0.95]),
)
def test_near_duplicates_agree_with_the_greedy_definition_whatever_the_chunks(
    seed, chunk, threshold
):
    rows = np.random.default_rng(seed).normal(size=(60, 3))
    filter_ = NearDuplicates(3, threshold)
    found = np.concatenate([filter_.judge(rows[i : i + chunk]) for i in range(0, 60, chunk)])
    cosines = cosine_similarity(rows)
    kept: list[int] = []
    for i in range(60):
        to_kept = cosines[i, kept]
        if len(kept) and to_kept.max() >= threshold:
            assert found[i] == to_kept.argmax()
        else:
            assert found[i] == -1
            kept.append(i)


def test_a_row_equal_to_another_is_a_duplicate_at_threshold_one():
    row = RNG.normal(size=(1, 384)).astype(np.float16)
    np.testing.assert_array_equal(NearDuplicates(384, 1.0).judge(np.vstack([row, row])), [-1, 0])


@pytest.mark.parametrize("threshold", [0.0, 1.1, float("nan")])
def test_a_threshold_that_is_no_cosine_is_refused(threshold):
    with pytest.raises(ValueError, match="near-duplicate cosine"):
        NearDuplicates(4, threshold)
