"""Versions that are published together are what each would be, published alone."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spending import reserve

from resources.ledger.ledger import Ledger, open_ledger
from resources.ledger.pending import Identity, Pending
from resources.ledger.spends import Cost
from resources.store.artifacts import Artifact

STARTED = datetime(2026, 1, 1, tzinfo=UTC)

SAID = (
    "SELECT * EXCLUDE (finished_at) FROM materialization ORDER BY ALL",
    "SELECT * FROM input ORDER BY ALL",
    "SELECT * FROM current_version ORDER BY ALL",
    "SELECT * EXCLUDE (id, ended_at, lease_until, begun_flops, begun_seconds, started_at)"
    " FROM spend ORDER BY ALL",
    "SELECT asset, partition, share.campaign, share FROM share JOIN spend ON spend = id"
    " ORDER BY ALL",
    "SELECT kind, asset, partition FROM entry JOIN spend ON subject = id"
    " ORDER BY asset, partition, entry.seq",
)
"""What a ledger says of its versions, but for when that was and what it calls their spends."""

VERSIONS = st.lists(
    st.tuples(
        st.sampled_from("abcdefgh"),  # partition
        st.lists(st.sampled_from("uvwxyz"), max_size=3),  # inputs
        st.booleans(),  # reserved
        st.booleans(),  # passed its checks
        st.sampled_from([None, 3.6]),  # price
    ),
    max_size=6,
    unique_by=lambda one: one[0],
)


def pending(ledger: Ledger, version: tuple) -> Pending:
    partition, inputs, reserved, passed, price = version
    spend = reserve(ledger, partition=partition, flops=2.0) if reserved else None
    return Pending(
        ledger.store.stage({"name.json": partition}),
        Identity("study/thing", partition, "inputs", "code"),
        campaign="small",
        inputs=inputs,
        run_id="run",
        rows=1,
        started_at=STARTED,
        cost=Cost(1.0, "detailed", "cpu", 2.0, 3.0),
        spend=spend,
        make_current=passed,
        paid_by=({"small": 0.25, "other": 0.75}, {}, price),
    )


@settings(deadline=None, max_examples=10)
@given(versions=VERSIONS)
def test_together_or_alone_the_ledger_says_the_same(versions, tmp_path_factory):
    together, alone = (open_ledger(tmp_path_factory.mktemp("store")) for _ in range(2))
    made = together.publish_all([pending(together, one) for one in versions])
    singly = [alone.publish(pending(alone, one)) for one in versions]
    for one, other in zip(made, singly, strict=True):
        assert isinstance(one, Artifact)
        assert (one.partition, one.version, one.materialization) == (
            other.partition,
            other.version,
            other.materialization,
        )
        one.verify()
    for statement in SAID:
        assert together.query(statement) == alone.query(statement)
    assert together.verify() == alone.verify() == []


def test_one_that_cannot_be_written_leaves_none_of_them_in_the_ledger(tmp_path: Path):
    ledger = open_ledger(tmp_path)
    good = pending(ledger, ("a", [], False, True, None))
    bad = pending(ledger, ("b", [], True, True, None))
    assert bad.spend is not None
    ledger.spending.settle(bad.spend, bad.cost)  # so that nothing is left to settle
    with pytest.raises(RuntimeError, match="is not running: the ledger has it as settled"):
        ledger.publish_all([good, bad])
    assert ledger.query("SELECT * FROM materialization") == []
    assert ledger.verify() == []
