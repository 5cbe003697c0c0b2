from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.costs import ACCOUNTANTS, ModelShape, forward_flops, training_flops
from selection.costs.rows import rows_forward_flops, rows_training_flops

SHAPE = ModelShape(
    layers=2, width=32, heads=4, kv_heads=2, ffn_width=48, vocabulary=90, sequence_length=7
)


@pytest.mark.parametrize("accountant", ACCOUNTANTS)
def test_rows_cost_what_each_costs_at_its_own_length(accountant):
    lengths = np.array([1, 5, 5, 64, 17])
    forward = both = 0.0
    for length in lengths:
        own = replace(SHAPE, sequence_length=int(length))
        forward += forward_flops(own, length, accountant=accountant)
        both += training_flops(own, length, accountant=accountant, lora=True)
    assert rows_forward_flops(SHAPE, lengths, accountant=accountant) == pytest.approx(forward)
    assert rows_training_flops(SHAPE, lengths, accountant=accountant, lora=True) == pytest.approx(
        both
    )


@given(st.lists(st.integers(0, 300), max_size=20), st.lists(st.integers(0, 300), max_size=20))
def test_parts_of_a_pool_add_up_and_the_order_does_not_matter(some, others):
    def flops(lengths):
        return rows_forward_flops(SHAPE, np.array(lengths), accountant="detailed_gqa")

    assert flops(some) + flops(others) == pytest.approx(flops(others[::-1] + some))
    assert flops([]) == 0.0


def test_a_negative_length_and_an_unknown_accountant_are_refused():
    with pytest.raises(ValueError, match="lengths must be >= 0"):
        rows_forward_flops(SHAPE, np.array([3, -1]), accountant="dense")
    with pytest.raises(ValueError, match="unknown accountant"):
        rows_forward_flops(SHAPE, np.array([3]), accountant="guess")
