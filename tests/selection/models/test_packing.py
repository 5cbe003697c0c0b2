"""Packing keeps every token, in order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.models.packing import IGNORED_LABEL, pack

EOS, PAD = 0, 1


@given(
    rows=st.lists(st.lists(st.integers(2, 50), max_size=12), min_size=1, max_size=12),
    block_size=st.integers(2, 16),
)
def test_every_token_is_kept_in_order(rows, block_size):
    blocks = pack(rows, block_size=block_size, eos_id=EOS, pad_id=PAD)
    real = blocks.labels.ravel() != IGNORED_LABEL
    assert blocks.ids.ravel()[real].tolist() == [token for row in rows for token in [*row, EOS]]
    np.testing.assert_array_equal(blocks.ids.ravel()[real], blocks.labels.ravel()[real])
    assert (blocks.ids.ravel()[~real] == PAD).all()
    assert blocks.n_tokens == real.sum()
    assert (~real).sum() < block_size
    assert blocks.ids.dtype == blocks.labels.dtype == np.int32


def test_nothing_to_pack_is_refused():
    with pytest.raises(ValueError, match="no row"):
        pack([], block_size=8, eos_id=EOS, pad_id=PAD)


def test_a_block_of_one_token_is_refused():
    with pytest.raises(ValueError, match="block_size"):
        pack([[2]], block_size=1, eos_id=EOS, pad_id=PAD)
