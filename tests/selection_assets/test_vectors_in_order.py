"""New and known vectors come out in the order of the rows, however they come."""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.basics.array_file import ArrayFile
from selection_assets.shared import vectors_in_order
from selection_assets.shared.made_before import MadeBefore
from selection_assets.shared.vectors_in_order import VectorsInOrder

WIDTH = 4


@dataclass
class Made:
    """An artifact with vectors."""

    vectors: np.ndarray

    def array(self, name: str) -> np.ndarray:
        assert name == "vectors.npy"
        return self.vectors


def known_in(vectors: np.ndarray, rows: np.ndarray, chance) -> MadeBefore:
    """Say that an artifact has some rows, in an order of its own."""
    theirs = np.array(chance.sample(range(len(rows)), len(rows)), dtype=np.int64)
    of_artifact = np.zeros((len(rows), WIDTH), dtype=np.float16)
    of_artifact[theirs] = vectors[rows]
    return MadeBefore(cast("Any", Made(of_artifact)), rows, theirs)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(["new", "new without a vector", "first", "second"]), max_size=40),
    st.integers(1, 7),
    st.integers(1, 9),
    st.randoms(use_true_random=False),
)
def test_they_are_those_of_the_rows(tmp_path_factory, kinds, at_once, shard, chance):
    what, n = np.array(kinds, dtype=object), len(kinds)
    vectors = np.eye(WIDTH, dtype=np.float16)[[chance.randrange(WIDTH) for _ in kinds]]
    vectors = vectors.reshape(n, WIDTH)
    vectors[what == "new without a vector"] = 0
    known = [known_in(vectors, np.flatnonzero(what == one), chance) for one in ("first", "second")]
    new = np.flatnonzero([str(kind).startswith("new") for kind in kinds])
    path = tmp_path_factory.mktemp("vectors") / "vectors.npy"
    before, vectors_in_order.AT_ONCE = vectors_in_order.AT_ONCE, at_once
    try:
        with ArrayFile(path, (WIDTH,), np.float16) as file:
            written = VectorsInOrder(file, WIDTH, n, new, known)
            for start in range(0, max(len(new), 1), shard):
                of_shard = vectors[new[start : start + shard]]
                has_vector = of_shard.any(axis=1)
                written.take(of_shard[has_vector], has_vector)
            written.finish()
    finally:
        vectors_in_order.AT_ONCE = before
    assert np.array_equal(written.has_vector, vectors.any(axis=1))
    assert np.array_equal(np.load(path), vectors[vectors.any(axis=1)])
    assert written.are_unit


def test_a_vector_that_is_not_of_norm_one_is_seen(tmp_path):
    with ArrayFile(tmp_path / "vectors.npy", (2,), np.float16) as file:
        written = VectorsInOrder(file, 2, 1, np.array([0]), [])
        written.take(np.array([[0.5, 0.5]], dtype=np.float16), np.array([True]))
        written.finish()
    assert not written.are_unit
