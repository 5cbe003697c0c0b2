"""All that was spent is charged once: to arms, or to none of them, with the reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selection.costs.charges import OUTDATED, Borne, Spent, charges_table, divide, shares_of

ASSETS = ("index", "scores", "report", "model")
AMOUNTS = st.floats(0, 1e12)
STEPS = st.lists(
    st.builds(
        Spent, st.sampled_from(ASSETS), st.sampled_from("ab"), AMOUNTS, AMOUNTS, st.booleans()
    )
)
SHARES = st.dictionaries(
    st.sampled_from(ASSETS),
    st.builds(Borne, st.just(frozenset({"ot"})), st.floats(0, 1), st.just("others bear it")),
)


@given(STEPS, SHARES)
def test_nothing_is_lost_and_nothing_counts_twice(spent, shares):
    found = divide(spent, lambda asset, _: shares.get(asset), lambda asset: f"why {asset}")
    for name in ("flops", "seconds"):
        whole = sum(getattr(one, name) for one in spent)
        assert sum(getattr(one, name) for one in found) == pytest.approx(whole, rel=1e-9, abs=1e-3)
        for asset, borne in shares.items():
            current = sum(getattr(s, name) for s in spent if s.asset == asset and s.current)
            charged = sum(getattr(c, name) for c in found if c.asset == asset and c.by)
            assert charged == pytest.approx(borne.share * current, rel=1e-9, abs=1e-3)
    assert all(bool(one.by) != bool(one.why) for one in found)


def test_what_nobody_bears_says_why_and_is_summed_up():
    spent = [
        Spent("index", "a", 0.0, 3.0),
        Spent("index", "b", 0.0, 1.0),
        Spent("model", "all", 8.0, 2.0),
        Spent("index", "a", 0.0, 5.0, current=False),
    ]
    shared = shares_of({"bm25": {"index": 0.25}, "other": {"index": 0.25}})
    found = divide(spent, lambda asset, _: shared.get(asset), lambda _: "from a hub")
    headings, rows = charges_table(found)
    assert headings == ["asset", "charged to", "FLOPs", "seconds"]
    assert rows[0] == ["index", "arms of bm25, other", 0.0, 1.0]
    assert rows[1] == ["all that arms bear", "", 0.0, 1.0]
    assert ["index", f"no arm: {OUTDATED}", 0.0, 5.0] in rows
    assert ["model", "no arm: from a hub", 8.0, 2.0] in rows
    assert rows[-1] == ["all that no arm bears", "", 8.0, 10.0]
