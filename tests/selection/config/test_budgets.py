"""In which unit may a budget be, and what does it come to?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from selection.config.budgets import Budget


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"share": 0.025}, "2.5pct"),
        ({"flops": 2e12}, "2e12flops"),
        ({"rows": 5_000}, "5000rows"),
        ({"rows_share": 0.05}, "5pct_rows"),
        ({"tokens": 1_000_000}, "1000000tokens"),
    ],
)
def test_a_budget_names_its_unit_in_its_key(fields, key):
    assert Budget.model_validate(fields).key == key


@pytest.mark.parametrize("fields", [{}, {"rows": 5, "tokens": 5}, {"share": 0.1, "rows": 1}])
def test_a_budget_has_one_unit(fields):
    with pytest.raises(ValidationError, match="give one of `share`"):
        Budget.model_validate(fields)


@given(share=st.floats(1e-6, 1), rows=st.integers(1, 10**7))
def test_a_share_of_the_rows_is_at_least_one_row_and_never_more_than_there_are(share, rows):
    most = Budget(rows_share=share).most_rows(rows)
    assert 1 <= most <= rows
    assert share * rows <= most < share * rows + 1


def test_a_number_of_rows_ends_with_the_pool():
    assert Budget(rows=500).most_rows(1_000) == 500
    assert Budget(rows=5_000).most_rows(1_000) == 1_000
    assert Budget(tokens=5).most_rows(1_000) == 1_000
