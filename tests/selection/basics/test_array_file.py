"""An array that is written row by row is the file that numpy writes of it."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.basics.array_file import ArrayFile


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 40), max_size=5),
    st.sampled_from([(), (1,), (256,), (2, 3)]),
    st.sampled_from(["<f2", "<f4", "<i8", "|u1", "|b1", "<U3"]),
)
def test_it_is_the_file_of_the_whole_array(tmp_path_factory, parts, row_shape, dtype):
    path = tmp_path_factory.mktemp("array") / "rows.npy"
    draw = np.random.default_rng(0)
    found = [draw.integers(0, 100, (n, *row_shape)).astype(dtype) for n in parts]
    with ArrayFile(path, row_shape, dtype) as file:
        for rows in found:
            file.add(rows)
        assert len(file) == sum(parts)
    whole = io.BytesIO()
    np.save(whole, np.concatenate([np.empty((0, *row_shape), dtype), *found]))
    assert path.read_bytes() == whole.getvalue()
    assert np.load(path, mmap_mode="r").shape == (sum(parts), *row_shape)


@pytest.mark.parametrize("rows", [np.zeros((2, 3), np.float16), np.zeros((2, 4), np.float32)])
def test_rows_of_another_kind_are_refused(tmp_path, rows):
    with (
        ArrayFile(tmp_path / "rows.npy", (4,), np.float16) as file,
        pytest.raises(ValueError, match=r"do not belong to an array of rows of shape \(4,\)"),
    ):
        file.add(rows)
