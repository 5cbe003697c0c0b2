from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from selection.neighbours import density as density_module
from selection.neighbours.density import Densities

RNG = np.random.default_rng(4)


def density(rows, reference, **how):
    return Densities(reference, **how).of(rows)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def direct(rows, reference, k, bandwidth):
    kernel = np.maximum(1 - cdist(unit(rows), unit(reference)) ** 2 / bandwidth**2, 0)
    return np.maximum(-np.sort(-kernel, axis=1)[:, :k].sum(axis=1), 1.0)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    width=st.integers(2, 20),
    k=st.integers(1, 40),
    bandwidth=st.sampled_from([0.05, 0.5, 1.5]),
)
def test_density_agrees_with_the_formula_over_all_pairs(seed, width, k, bandwidth):
    rng = np.random.default_rng(seed)
    rows, reference = rng.normal(size=(30, width)), rng.normal(size=(40, width))
    reference[:20] = rows[:20]
    rho = density(rows, reference, neighbours=k, bandwidth=bandwidth)
    # Squared distances of float32 cosines are good to 1e-6, which the bandwidth magnifies.
    np.testing.assert_allclose(
        rho, direct(rows, reference, k, bandwidth), atol=1e-6 * k / bandwidth**2
    )


def test_copies_of_a_row_share_the_weight_of_one():
    rows = RNG.normal(size=(200, 64))
    rows[50:70] = rows[49]  # with row 49, a cluster of 21
    rows = rows.astype(np.float16)
    weight = 1 / density(rows, rows, neighbours=50, bandwidth=0.25)
    np.testing.assert_allclose(weight[49:70], 1 / 21, rtol=1e-4)
    np.testing.assert_allclose(np.delete(weight, np.s_[49:70]), 1.0, rtol=1e-4)


def test_near_duplicates_share_it_in_part():
    rows = np.array([[1.0, 0.0], [np.cos(0.1), np.sin(0.1)], [0.0, 1.0]])
    rho = density(rows, rows, neighbours=3, bandwidth=0.2)
    squared = 2 - 2 * np.cos(0.1)
    np.testing.assert_allclose(rho, [2 - squared / 0.04, 2 - squared / 0.04, 1], atol=1e-4)


def test_a_row_outside_the_reference_is_its_own_neighbour():
    rho = density(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), neighbours=1, bandwidth=0.5)
    assert rho.tolist() == [1.0] and rho.dtype == np.float64


def test_no_density_exceeds_the_number_of_neighbours():
    rho = density(np.ones((30, 4)), np.ones((30, 4)), neighbours=7, bandwidth=0.3)
    np.testing.assert_allclose(rho, 7, rtol=1e-5)


def test_blocks_do_not_change_the_result(monkeypatch):
    rows = RNG.normal(size=(50, 8))
    whole = density(rows, rows, neighbours=5, bandwidth=1.0)
    monkeypatch.setattr(density_module, "_BLOCK_ROWS", 7)
    np.testing.assert_allclose(density(rows, rows, neighbours=5, bandwidth=1.0), whole, atol=1e-5)


def test_no_rows_have_no_density():
    assert density(np.empty((0, 4)), np.eye(4), neighbours=1, bandwidth=1.0).shape == (0,)


@pytest.mark.parametrize("bandwidth", [0.0, -1.0, float("nan"), float("inf")])
def test_a_bandwidth_that_is_no_distance_is_refused(bandwidth):
    with pytest.raises(ValueError, match="must be positive"):
        density(np.eye(2), np.eye(2), neighbours=1, bandwidth=bandwidth)


def test_more_neighbours_than_reference_rows_are_refused():
    with pytest.raises(ValueError, match="k is 3; with 2 rows"):
        density(np.eye(2), np.eye(2), neighbours=3, bandwidth=1.0)
