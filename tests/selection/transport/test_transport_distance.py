from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from selection.transport.distance import ot_distance

RNG = np.random.default_rng(1)


def cloud(n: int, shift: float = 0.0) -> np.ndarray:
    return RNG.normal(size=(n, 6)) + shift


def test_distance_of_equal_sizes_is_the_best_assignment():
    x, y = cloud(30), cloud(30, 1.0)
    ux, uy = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, y))
    cost = ((ux[:, None] - uy[None]) ** 2).sum(axis=2)
    rows, columns = linear_sum_assignment(cost)
    found = ot_distance(x, y)
    assert found.distance == pytest.approx(cost[rows, columns].mean(), rel=1e-9)
    assert (found.rows_x, found.rows_y) == (30, 30)


def test_a_set_is_at_distance_zero_from_itself_even_when_sampled_and_shuffled():
    x = cloud(200)
    found = ot_distance(x, x[RNG.permutation(200)], max_rows=40)
    assert found.distance == pytest.approx(0.0, abs=1e-12)
    assert (found.rows_x, found.rows_y) == (40, 40)


def test_samples_are_fixed_by_the_seed():
    x, y = cloud(200), cloud(150, 0.5)
    one = ot_distance(x, y, max_rows=30, seed=1)
    assert one == ot_distance(x, y, max_rows=30, seed=1)
    assert one != ot_distance(x, y, max_rows=30, seed=2)


def test_weights_move_mass():
    x = np.array([[1.0, 0.0], [0.0, 1.0]])
    y = np.array([[1.0, 0.0]])
    assert ot_distance(x, y).distance == pytest.approx(1.0)
    assert ot_distance(x, y, a=[3.0, 1.0]).distance == pytest.approx(0.5)


def test_a_nearer_set_is_nearer():
    y = cloud(50, 1.0)
    assert ot_distance(cloud(80, 1.0), y).distance < ot_distance(cloud(80), y).distance


def test_max_rows_must_be_positive():
    with pytest.raises(ValueError, match="max_rows is 0"):
        ot_distance(cloud(3), cloud(3), max_rows=0)
