"""What is rebuilt of a spend that was taken for dead, and of who held it."""

import json
from pathlib import Path

import pytest
from spending import publish_report
from tampering import COST, STEP, entries, publish, reserve

from resources.ledger.ledger import Ledger, open_ledger
from resources.ledger.pending import Identity
from resources.ledger.recover import rebuild
from selection.budget.amounts import Amount


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return open_ledger(tmp_path)


def lost_and_published(ledger: Ledger) -> str:
    """Publish what a step made that was recorded as lost; returns the spend that was settled."""
    lost = reserve(ledger)
    ledger.spending.lose(spend=lost, begun=Amount(2.0, 1.0))
    publish(ledger, lost, "one")
    [row] = ledger.query("SELECT id FROM spend WHERE continues = ?", [lost])
    return row["id"]


def test_the_record_of_a_continued_spend_is_that_of_the_spend_which_was_settled(ledger):
    settled = lost_and_published(ledger)
    [record] = (ledger.artifacts / ".records").rglob("*.*")
    assert record.name == f"{settled}.json"
    assert ledger.verify() == []


def test_publishing_again_for_the_same_spend_leaves_its_record_whole(ledger):
    spend = reserve(ledger)
    assert publish(ledger, spend, "one") == publish(ledger, spend, "one")
    assert ledger.verify() == []


def test_what_is_refused_leaves_no_record_of_a_paid_version(ledger):
    lost = reserve(ledger)
    ledger.spending.lose(spend=lost, begun=Amount())
    reserve(ledger, 199.0)
    with pytest.raises(RuntimeError, match="is not published"):
        publish(ledger, lost, "one")
    assert {file.suffix for file in (ledger.artifacts / ".records").rglob("*.*")} == {".begun"}
    assert ledger.query("SELECT * FROM refusal") == []
    assert ledger.verify() == []


def test_a_rebuilt_spend_has_no_holder_and_counts_as_before(ledger, tmp_path):
    settled = lost_and_published(ledger)
    was = ledger.spending.standing("small")
    (tmp_path / "ledger.duckdb").unlink()
    assert rebuild(ledger, actor="me", reason="it was lost").additions
    assert ledger.spending.standing("small") == was
    rows = ledger.query("SELECT id, state, host, pid, process_started FROM spend")
    assert {row["id"]: row["state"] for row in rows}[settled] == "settled"
    assert {row[name] for row in rows for name in ("host", "pid", "process_started")} == {None}
    assert ledger.verify() == []
    assert ledger.spending.lose_expired() == 0


def test_a_spend_that_an_older_ledger_has_as_running_is_rebuilt_as_settled(ledger, tmp_path):
    spend = reserve(ledger)
    backup = (tmp_path / "ledger.duckdb").read_bytes()
    identity = Identity(STEP.asset, STEP.partition, "one", "code")
    publish_report(ledger, identity, "one", cost=COST, campaign="pool", spend=spend)
    was = ledger.spending.standing("small")
    (tmp_path / "ledger.duckdb").write_bytes(backup)
    rebuild(ledger, actor="me", reason="the disk was full")
    assert ledger.spending.standing("small") == was
    assert ledger.verify() == []
    assert json.loads(entries(tmp_path)[-1][4])["spend"]["id"] == spend
