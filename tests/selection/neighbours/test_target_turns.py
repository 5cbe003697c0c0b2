"""Turns are those of a naive game over all pairs, whatever the batches, copies and ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.neighbours import turns as turns_module
from selection.neighbours.turns import play_turns

WIDTH = 3


def batches(ids, rows, size):
    return lambda: ((ids[i : i + size], rows[i : i + size]) for i in range(0, len(ids), size))


def cosine(a, b):
    a, b = a.astype(float), b.astype(float)
    return round(float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)), 7)


def naive(ids, rows, target):
    """The definition: in its turn each target row takes the nearest of the rows left."""
    left = dict(zip(reversed(ids), reversed(rows), strict=True))  # the first of copies remains
    played = []
    while left:
        mine = target[len(played) % len(target)]
        best = min(left, key=lambda one: (-cosine(left[one], mine), one))
        played.append((str(best), cosine(left.pop(best), mine)))
    return played


@st.composite
def games(draw):
    # Few directions and few names: ties and copies are common.
    entry = st.sampled_from([-1.0, 0.0, 1.0, 2.0])
    vector = st.lists(entry, min_size=WIDTH, max_size=WIDTH).filter(any)
    rows = draw(st.lists(vector, min_size=1, max_size=30))
    names = st.sampled_from([f"r{i}" for i in range(25)])
    ids = draw(st.lists(names, min_size=len(rows), max_size=len(rows)))
    target = draw(st.lists(vector, min_size=1, max_size=6))
    return np.array(ids), np.array(rows, dtype=np.float16), np.array(target, dtype=np.float16)


@settings(max_examples=200, deadline=None)
@given(game=games(), size=st.integers(1, 40), block=st.integers(1, 9))
def test_a_whole_pool_is_popped_as_in_the_naive_game(game, size, block):
    ids, rows, target = game
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns_module, "_BLOCK_ROWS", block)
        patch.setattr(turns_module, "_FIRST_LOOK", 1)
        played = play_turns(batches(ids, rows, size), target)
    expected = naive(ids, rows, target)
    assert played.row_id.astype(str).tolist() == [name for name, _ in expected]
    np.testing.assert_allclose(played.cosine, [c for _, c in expected], atol=1.1e-7)
    assert (played.n_rows, played.n_target) == (len(set(ids.tolist())), len(target))


@settings(max_examples=200, deadline=None)
@given(game=games(), depth=st.integers(1, 12), size=st.integers(1, 40), block=st.integers(1, 9))
def test_turns_at_any_depth_are_the_first_of_the_whole_game(game, depth, size, block):
    ids, rows, target = game
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(turns_module, "_BLOCK_ROWS", block)
        played = play_turns(batches(ids, rows, size), target, depth=depth)
    expected = [name for name, _ in naive(ids, rows, target)]
    assert played.row_id.astype(str).tolist() == expected[: len(played.row_id)]
    assert len(played.row_id) >= min(depth, len(expected))


def test_a_large_game_of_real_numbers_is_the_naive_one():
    rng = np.random.default_rng(0)
    rows, target = rng.normal(size=(700, 16)), rng.normal(size=(9, 16))
    ids = np.array([f"{i:03d}" for i in rng.permutation(700)])
    played = play_turns(batches(ids, rows, 256), target, depth=200)
    assert len(played.row_id) > 400
    cosines = (rows / np.linalg.norm(rows, axis=1, keepdims=True)) @ (
        target / np.linalg.norm(target, axis=1, keepdims=True)
    ).T
    used = np.zeros(700, dtype=bool)
    for turn, name in enumerate(played.row_id.astype(str)):
        best = int(np.where(used, -2.0, cosines[:, turn % 9]).argmax())
        used[best] = True
        assert ids[best] == name


def test_equally_near_rows_are_popped_by_row_id():
    rows = np.tile([[1.0, 0.5]], (4, 1))
    played = play_turns(batches(np.array(["d", "b", "a", "c"]), rows, 2), np.eye(2))
    assert played.row_id.astype(str).tolist() == ["a", "b", "c", "d"]


def test_more_pairs_than_may_be_kept_are_refused_with_a_depth_that_would_do():
    ids, rows = np.array([f"{i:02d}" for i in range(20)]), np.eye(20)
    with pytest.raises(ValueError, match="set `depth` to at most 12"):
        play_turns(batches(ids, rows, 5), rows[:4], depth=13, max_pairs=50)
    assert len(play_turns(batches(ids, rows, 5), rows[:4], depth=12, max_pairs=50).row_id) >= 12
    # Without a depth so many are kept as may be.
    assert len(play_turns(batches(ids, rows, 5), rows[:4], max_pairs=50).row_id) >= 12


def test_what_cannot_be_played_is_refused():
    with pytest.raises(ValueError, match="no rows to take turns on"):
        play_turns(lambda: iter([]), np.eye(2))
    with pytest.raises(ValueError, match="depth is 0"):
        play_turns(batches(np.array(["a"]), np.eye(2)[:1], 1), np.eye(2), depth=0)
    with pytest.raises(ValueError, match="rows row 0 has zero length"):
        play_turns(batches(np.array(["a"]), np.zeros((1, 2)), 1), np.eye(2))
