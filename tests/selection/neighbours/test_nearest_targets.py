from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances
from sklearn.preprocessing import normalize

from selection.neighbours.targets import nearest_receipts, nearest_targets

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


def test_rows_of_another_width_than_the_target_s_are_refused():
    with pytest.raises(ValueError, match="rows has width 5 and must have width 4"):
        nearest_targets(np.ones((2, 5)), np.eye(4), 1)


def test_a_bad_row_is_named_by_its_block_and_place():
    rows = np.ones((8200, 4), dtype=np.float16)
    rows[8195] = 0
    with pytest.raises(ValueError, match=r"rows\[8192:\] row 3 has zero length"):
        nearest_targets(rows, np.eye(4), 1)


def test_receipts_name_the_nearest_target_row():
    receipts = nearest_receipts(np.array([[0.9, 0.1], [0.2, 1.0]]), np.eye(2), np.array(["x", "y"]))
    assert receipts["nearest_target"].tolist() == ["x", "y"]
    np.testing.assert_allclose(receipts["nearest_cosine"], [0.9939, 0.9806], atol=1e-4)


def test_receipts_name_the_three_nearest_target_rows_with_their_distances():
    rows, target = RNG.normal(size=(40, 8)), RNG.normal(size=(6, 8))
    names = np.array([f"t{i}" for i in range(6)])
    receipts = nearest_receipts(rows, target, names)
    cosines = cosine_similarity(rows, target)
    distances = euclidean_distances(normalize(rows), normalize(target), squared=True)
    for i, named in enumerate(receipts["nearest_targets"].to_pylist()):
        order = np.argsort(-cosines[i])[:3]
        assert [one["target"] for one in named] == names[order].tolist()
        np.testing.assert_allclose([one["cosine"] for one in named], cosines[i, order], atol=1e-7)
        np.testing.assert_allclose(
            [one["squared_distance"] for one in named], distances[i, order], atol=2e-7
        )
        assert named[0]["target"] == receipts["nearest_target"][i]
        assert named[0]["cosine"] == receipts["nearest_cosine"][i]


def test_receipts_name_every_row_of_a_target_of_fewer_than_three():
    receipts = nearest_receipts(np.eye(3)[:2], np.eye(3)[1:], np.array(["x", "y"]))
    named = receipts["nearest_targets"].to_pylist()
    assert [[one["target"] for one in row] for row in named] == [["x", "y"], ["x", "y"]]
    assert named[1][0] == {"target": "x", "cosine": 1.0, "squared_distance": 0.0}


def test_receipts_of_no_rows_are_empty_columns_of_the_same_types():
    some = nearest_receipts(np.eye(2), np.eye(2), np.array(["x", "y"]))["nearest_targets"]
    none = nearest_receipts(np.empty((0, 2)), np.eye(2), np.array(["x", "y"]))["nearest_targets"]
    assert len(none) == 0
    assert none.type == some.type
