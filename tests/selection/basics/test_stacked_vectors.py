"""Vectors of several matrices are those of one that holds all of them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from selection.basics.vectors import StackedVectors

PARTS = st.lists(
    st.integers(0, 5).flatmap(lambda n: arrays(np.float16, (n, 3), elements=st.integers(-9, 9))),
    min_size=1,
    max_size=4,
)


@given(PARTS, st.data())
def test_they_are_the_rows_of_all_parts_in_any_order_and_zero_where_there_is_none(parts, data):
    whole, stacked = np.concatenate(parts), StackedVectors(parts)
    n = len(whole)
    assert stacked.shape == whole.shape and len(stacked) == n
    numbers = np.array(data.draw(st.lists(st.integers(0, max(n - 1, 0)), max_size=12 * (n > 0))))
    numbers = numbers.astype(np.int64)
    assert np.array_equal(stacked[numbers], whole[numbers])
    places = np.array(data.draw(st.lists(st.integers(-1, n - 1), min_size=1, max_size=9)))
    expected = np.where((places >= 0)[:, None], np.vstack([whole, np.zeros((1, 3))])[places], 0)
    placed = stacked.at(places)
    assert placed.shape == (len(places), 3)
    assert np.array_equal(placed[np.arange(len(places))], expected)
    assert placed[np.arange(len(places))].dtype == np.float16
