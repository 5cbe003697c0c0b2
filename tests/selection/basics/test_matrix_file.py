"""A matrix that is written row by row is the file that numpy writes of it."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selection.basics.matrix_file import MatrixFile


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 40), max_size=5),
    st.integers(1, 300),
    st.sampled_from(["<f2", "<f4", "<i8", "|u1"]),
)
def test_it_is_the_file_of_the_whole_matrix(tmp_path_factory, parts, width, dtype):
    path = tmp_path_factory.mktemp("matrix") / "rows.npy"
    draw = np.random.default_rng(0)
    found = [draw.integers(0, 100, (n, width)).astype(dtype) for n in parts]
    with MatrixFile(path, width, dtype) as file:
        for rows in found:
            file.add(rows)
        assert len(file) == sum(parts)
    whole = io.BytesIO()
    np.save(whole, np.concatenate([np.empty((0, width), dtype), *found]))
    assert path.read_bytes() == whole.getvalue()


@pytest.mark.parametrize("rows", [np.zeros((2, 3), np.float16), np.zeros((2, 4), np.float32)])
def test_rows_of_another_kind_are_refused(tmp_path, rows):
    with (
        MatrixFile(tmp_path / "rows.npy", 4, np.float16) as file,
        pytest.raises(ValueError, match="do not belong to a matrix of width 4 and float16"),
    ):
        file.add(rows)
