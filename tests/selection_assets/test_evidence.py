"""Whatever a method gives as evidence is printed under its name, or refused by it."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.methods import REGISTRY
from selection_assets.command.evidence import evidence_lines

figures = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text("abc"))
entries = st.lists(figures | st.dictionaries(st.sampled_from(["term", "score"]), figures))
names = st.sampled_from(sorted(frozenset().union(*(m.receipts for m in REGISTRY.values()))))


@given(receipts=st.dictionaries(names, figures | entries))
def test_no_column_of_a_method_s_evidence_vanishes(receipts):
    said = "\n".join(evidence_lines(receipts, {}))
    for name in receipts:
        # The list of the nearest examples says the same of the first, and more.
        stands_in = name == "nearest_target" and isinstance(receipts.get("nearest_targets"), list)
        assert stands_in or name.replace("_", " ") in said


@pytest.mark.parametrize("value", [{"a": 1}, datetime.date(2026, 1, 1), b"raw", [[1]]])
def test_a_column_of_a_kind_that_nobody_can_read_is_refused_by_its_name(value):
    with pytest.raises(TypeError, match="receipt 'mood' holds"):
        list(evidence_lines({"mood": value}, {}))
