"""What tampering with the ledger `Ledger.verify` sees, and what it cannot.

It cannot see what is consistent in itself: a tail cut off together with what it did to the tables,
or a chain that somebody computed anew from a changed entry on. Only the hash of an entry that was
noted elsewhere reveals those. Nor does any entry say what `UNSEEN` lists: leases.
"""

import pytest
from tampering import chained, each, edit, entries, problems, put, tampered

ENTRY = ["seq", "made_at", "kind", "subject", "body", "previous", "hash"]
SEEN = {
    "spend": [
        *("id", "campaign", "asset", "partition", "run_id", "materialization", "state", "device"),
        *("usd_per_device_hour", "reserved_flops", "reserved_seconds"),
        *("planned_flops", "planned_seconds", "accountant"),
        *("flops", "resumed_flops", "device_seconds", "wall_seconds", "usd"),
        *(
            "begun_flops",
            "begun_seconds",
            "started_at",
            "ended_at",
            "host",
            "pid",
            "process_started",
            "continues",
        ),
    ],
    "share": ["spend", "campaign", "share"],
    "cap": ["campaign", "unit", "amount", "usd_per_device_hour", "declared_unit", "declared"],
    "materialization": [
        *("id", "asset", "partition", "input_hash", "code_version", "data_version"),
        *("run_id", "rows", "bytes", "started_at", "finished_at"),
    ],
    "input": ["materialization", "upstream"],
    "current_version": ["asset", "partition", "materialization"],
    "refusal": ["asset", "partition", "campaign", "message", "refused_at"],
    "forecast": ["campaign", "asset", "partition", "flops", "seconds"],
    "schema_version": ["version"],
}
UNSEEN = {"spend": ["lease_until"]}


def test_the_untouched_ledger_has_nothing_wrong_with_it(root):
    assert problems(root) == []
    assert entries(root) == chained(entries(root))


@pytest.mark.parametrize("column", ENTRY)
def test_a_changed_entry_is_named(root, column):
    for entry, found in tampered(root, "entry", column):
        place = entry[0]
        assert any(f"entry {place}" in problem for problem in found), (column, entry, found)


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table in SEEN for column in SEEN[table]]
)
def test_a_table_that_says_something_else_than_its_entries_is_named(root, table, column):
    for row, found in tampered(root, table, column):
        assert found, (row, "went unnoticed")
        assert any(table in p for p in found), (row, found)


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table in UNSEEN for column in UNSEEN[table]]
)
def test_what_no_entry_says_can_be_changed_unseen(root, table, column):
    for row, found in tampered(root, table, column):
        assert found == [], row


@pytest.mark.parametrize("table", ["entry", *SEEN])
def test_a_row_that_is_gone_is_missed(root, table):
    for row, found in each(root, table, f"DELETE FROM {table} WHERE rowid = ?"):
        assert found, row
        if table == "entry" and row[0] < len(entries(root)):
            assert found[0].startswith(f"entry {row[0]} is missing")


@pytest.mark.parametrize(
    "body",
    [
        *("no JSON", '{"flops": "many"}'),
        *(pytest.param(body, marks=pytest.mark.slow) for body in ("", "[]", "{}", "NaN")),
    ],
)
def test_a_body_of_another_shape_is_named_and_stops_nothing(root, body):
    statement = "UPDATE entry SET body = ? WHERE rowid = ?"
    for row, found in each(root, "entry", statement, lambda _: [body]):
        assert any(f"entry {row[0]} " in problem for problem in found), row


@pytest.mark.parametrize(
    "kind",
    [
        *("cap", "settle", "no such kind"),
        *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("reserve", "extend", "lose")),
    ],
)
def test_an_entry_of_another_kind_is_named_and_stops_nothing(root, kind):
    statement = "UPDATE entry SET kind = ? WHERE rowid = ?"
    for row, found in each(root, "entry", statement, lambda _: [kind]):
        assert row[2] == kind or any(f"entry {row[0]} " in problem for problem in found), row


def test_a_spend_that_nobody_reserved_is_named(root):
    edit(
        root,
        "INSERT INTO spend SELECT * REPLACE ('forged' AS id) FROM spend LIMIT 1",
    )
    assert problems(root) == ["spend forged stands in the table, and no entry says so"]


@pytest.mark.parametrize("kind", ["extend", "settle", "lose"])
def test_an_entry_about_a_spend_that_was_over_is_named(root, kind):
    found = entries(root)
    over = next(subject for _, _, kind, subject, *_ in found if kind == "lose")
    body = next(body for _, _, of, _, body, *_ in found if of == kind)
    put(root, chained([*found, (0, found[-1][1], kind, over, body, "", "")]))
    assert any(f"({kind})" in problem and "lost before" in problem for problem in problems(root))


@pytest.mark.parametrize(
    ("made", "named"),
    [
        ("CREATE VIEW totals AS SELECT 1", "view totals"),
        ("CREATE MACRO sum(x) AS 0", "macro sum"),
        ("CREATE MACRO latest() AS TABLE SELECT 1", "table_macro latest"),
        ("CREATE INDEX by_asset ON spend (asset)", "index by_asset"),
        ("CREATE SEQUENCE numbers", "sequence numbers"),
        ("CREATE TYPE mood AS ENUM ('good', 'bad')", "type mood"),
        ("CREATE TABLE more (x INTEGER)", "table more"),
        ("CREATE SCHEMA s; CREATE TABLE s.spend (x INTEGER)", "table s spend"),
        ("ALTER TABLE share ADD COLUMN x INTEGER", "table share"),
    ],
)
def test_what_this_program_does_not_make_is_named(root, made, named):
    """A macro that is called as a function of DuckDB answers for it in every query."""
    edit(root, made)
    assert f"{named} is not one of this program's, or not as it makes it" in problems(root)
