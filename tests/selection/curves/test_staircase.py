"""The frontier against its definition, checked pair by pair."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.curves import Point, frontier, loss_point

# Few distinct values, so that ties are common.
POINTS = st.lists(
    st.builds(
        Point,
        cost=st.integers(0, 6).map(float),
        score=st.integers(-3, 3).map(float),
        name=st.sampled_from(["ot", "random", "length"]),
        low=st.none() | st.just(-9.0),
        high=st.none(),  # or Hypothesis draws NaN, which equals nothing
    ),
    max_size=25,
)


def dominates(a, b):
    return a.cost <= b.cost and a.score >= b.score and (a.cost, a.score) != (b.cost, b.score)


@given(POINTS)
def test_exactly_the_points_that_no_other_dominates_are_kept(points):
    expected = [p for p in points if not any(dominates(q, p) for q in points)]
    assert sorted(map(repr, frontier(points))) == sorted(map(repr, expected))


@given(POINTS)
def test_the_frontier_of_a_frontier_is_itself(points):
    assert frontier(frontier(points)) == frontier(points)


@given(POINTS, st.randoms(use_true_random=False))
def test_the_order_of_the_points_does_not_matter(points, random):
    shuffled = list(points)
    random.shuffle(shuffled)
    assert frontier(shuffled) == frontier(points)


@given(POINTS)
def test_cost_and_score_rise_together(points):
    kept = frontier(points)
    for a, b in itertools.pairwise(kept):
        same = (a.cost, a.score) == (b.cost, b.score)
        assert same or (a.cost < b.cost and a.score < b.score)


def test_points_equal_in_cost_and_score_are_all_kept():
    twins = [Point(1.0, 2.0, "random"), Point(1.0, 2.0, "length", 1.5, 2.5)]
    assert {p.name for p in frontier([*twins, Point(2.0, 2.0, "ot")])} == {"random", "length"}


def test_plain_pairs_and_rows_of_an_array_work_too():
    assert frontier([(2.0, 1.0), (1.0, 1.0), (3.0, 5.0)]) == [(1.0, 1.0), (3.0, 5.0)]
    kept = frontier(np.array([[2.0, 1.0], [1.0, 1.0]]))
    assert [row.tolist() for row in kept] == [[1.0, 1.0]]


def test_a_loss_becomes_a_score_with_its_interval_turned_over():
    assert loss_point(1e12, 6.2, "ot", low=6.1, high=6.4) == Point(1e12, -6.2, "ot", -6.4, -6.1)
    assert loss_point(1e12, 6.2, "ot") == Point(1e12, -6.2, "ot", None, None)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_cost_or_score_that_is_not_finite_is_refused(bad):
    with pytest.raises(ValueError, match="not finite"):
        frontier([Point(bad, 1.0, "ot")])
    with pytest.raises(ValueError, match="not finite"):
        frontier([Point(1.0, bad, "ot")])
