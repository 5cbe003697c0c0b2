"""Which rows are too long, and which arms have not spent what they were given?"""

import numpy as np
import pytest

from selection.subset.lengths import length_limit
from selection.subset.spent import why_underspent

LENGTHS = np.array([64, 65, 64, 65, 500])
IS_CHAT = np.array([False, False, True, True, False])


@pytest.mark.parametrize(
    ("given", "window", "packing", "beyond", "said"),
    [
        (None, 64, "joined", [0, 0, 0, 1, 0], "Conversations of more than 64 tokens"),
        (None, 64, "isolated", [0, 1, 0, 1, 1], "Rows of more than 64 tokens"),
        (None, None, "joined", [0, 0, 0, 0, 0], "Rows of any length"),
        (None, None, "isolated", [0, 0, 0, 0, 0], "Rows of any length"),
        (100, 64, "joined", [0, 0, 0, 0, 1], "Rows of more than 100 tokens"),
        (64, None, "joined", [0, 1, 0, 1, 1], "Rows of more than 64 tokens"),
    ],
)
def test_a_limit_is_that_given_or_the_window_of_rows_that_have_one(
    given, window, packing, beyond, said
):
    limit = length_limit(given, window=window, packing=packing)
    found = limit.is_beyond(LENGTHS, IS_CHAT)
    assert found.tolist() == [bool(one) for one in beyond]
    assert limit.said(int(found.sum())).startswith(said)
    if limit.tokens is not None:
        assert "the pool has 12." in limit.said(12)


def test_an_arm_is_underspent_below_95_percent_by_its_worst_draw():
    assert why_underspent([9_500], [0], token_budget=10_000) == ""
    assert why_underspent([9_499], [7], token_budget=10_000).endswith(
        "spent 9,499 of 10,000 tokens (95.0%): none of the rows that are left fits (7)"
    )
    said = why_underspent([9_999, 82, 9_000], [3, 0, 5], token_budget=10_000)
    assert said == (
        "draw 1 of 3 spent 82 of 10,000 tokens (0.8%): the pool has no more rows that may be"
        " selected"
    )
