"""`verify` sees a change to any table: what the ledger answers from follows from its entries."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tampering import COST, edit, problems, publish

from resources.ledger.audit import DERIVED, audit
from resources.ledger.ledger import open_ledger
from resources.ledger.pending import Identity, Pending
from resources.ledger.replay import KEYS, LEASES

TABLES = [*KEYS, "entry"]


@pytest.fixture(scope="module")
def connection(original: Path, tmp_path_factory) -> Iterator[duckdb.DuckDBPyConnection]:
    copy = shutil.copy(original / "ledger.duckdb", tmp_path_factory.mktemp("copy"))
    with duckdb.connect(copy) as connection:
        yield connection


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
VALUES = {
    "VARCHAR": st.none() | texts | st.sampled_from(["small", "other", "lost", "running", "all"]),
    "DOUBLE": st.none() | st.floats(allow_nan=False),
    "BIGINT": st.none() | st.integers(-5, 10**12),
    "INTEGER": st.none() | st.integers(-5, 10**6),
    "TIMESTAMP WITH TIME ZONE": st.none()
    | st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.sampled_from(TABLES), st.sampled_from(["update", "delete", "insert"]))
def test_any_change_of_one_row_of_any_table_is_found(figures, connection, data, table, action):
    described = connection.execute(f"DESCRIBE {table}").fetchall()
    columns = {name: kind for name, kind, *_ in described if name not in DERIVED.get(table, ())}
    rows = connection.execute(
        f"SELECT rowid, {', '.join(columns)} FROM {table} ORDER BY rowid"
    ).fetchall()
    row = data.draw(st.sampled_from(rows)) if rows else None
    name = data.draw(st.sampled_from(sorted(columns)))
    if row is None or action == "insert":
        values = [data.draw(VALUES[kind]) for kind in columns.values()]
        statement = f"INSERT INTO {table} VALUES ({', '.join('?' for _ in columns)})"
    elif action == "delete":
        values, statement = [row[0]], f"DELETE FROM {table} WHERE rowid = ?"
    elif name in LEASES.get(table, ()):
        return
    else:
        value = data.draw(VALUES[columns[name]])
        if value == row[1 + list(columns).index(name)]:
            return
        values, statement = [value, row[0]], f"UPDATE {table} SET {name} = ? WHERE rowid = ?"
    connection.begin()
    try:
        connection.execute(statement, values)
        assert list(audit(connection)), (statement, values)
        figures.record("P7", changes_to_the_ledger_s_tables_found=1)
    except duckdb.Error as error:
        assert isinstance(error, duckdb.ConstraintException | duckdb.ConversionException), error
    finally:
        connection.rollback()


@pytest.mark.parametrize("table", KEYS)
def test_a_table_that_is_emptied_dropped_or_made_anew_is_named(root, table):
    for statement in (
        *([f"DELETE FROM {table}"] if table != "tombstone" else []),  # of which there are none
        f"ALTER TABLE {table} ADD COLUMN more VARCHAR",
        f"DROP TABLE {table}",
    ):
        copy = root.with_name("another")
        shutil.copytree(root, copy)
        with duckdb.connect(str(copy / "ledger.duckdb")) as connection:
            connection.execute(statement)
            found = list(audit(connection))
        assert any(table in problem for problem in found), statement
        shutil.rmtree(copy)


def test_the_path_of_a_version_follows_from_what_it_is_and_cannot_be_set(root):
    with pytest.raises(duckdb.BinderException, match="generated column"):
        edit(root, "UPDATE materialization SET path = 'small/eval_report/ot/forged'")
    for row in open_ledger(root).query("SELECT * FROM materialization"):
        assert row["path"] == "/".join(row[n] for n in ("asset", "partition", "data_version"))


def test_a_forged_report_with_all_its_rows_is_named_and_so_is_who_it_replaced(root):
    """Somebody writes files that hash to their name, and every row that a publication makes."""
    forger = open_ledger(root.with_name("forger"))
    forged = forger.publish(
        Pending(
            forger.store.stage({"report.md": "better than all"}),
            Identity("pool/x", "all", "one", "code"),
            campaign="pool",
            inputs=[],
            run_id="run",
            rows=1,
            started_at=datetime.now(UTC),
            cost=COST,
            spend=None,
        )
    )
    shutil.copytree(forged.folder, root / "artifacts/pool/x/all" / forged.version)
    with duckdb.connect(str(root / "ledger.duckdb")) as connection:
        connection.execute(f"ATTACH '{root.with_name('forger') / 'ledger.duckdb'}' AS forger")
        rows = "SELECT * EXCLUDE path FROM forger.materialization"
        connection.execute(f"INSERT INTO materialization BY NAME ({rows})")
        for table in ("spend", "share"):
            connection.execute(f"INSERT INTO {table} SELECT * FROM forger.{table}")
        made = [forged.materialization]
        connection.execute("UPDATE current_version SET materialization = ?", made)
    ledger = open_ledger(root)
    assert ledger.current("pool/x", "all") == type(forged)(
        *("pool/x", "all", forged.version, root / "artifacts/pool/x/all" / forged.version),
        forged.materialization,
    )
    found = problems(root)
    assert f"materialization {made[0]} stands in the table, and no entry says so" in found
    assert any(p.startswith("current_version pool/x all: materialization is ") for p in found)
    assert any(p.startswith("spend ") for p in found)


def test_a_tombstone_that_nobody_entered_is_named(connection):
    connection.begin()
    connection.execute("INSERT INTO tombstone VALUES ('row', 'me', 'why', now())")
    assert list(audit(connection)) == ["tombstone row stands in the table, and no entry says so"]
    connection.rollback()


def test_the_same_publication_again_leaves_a_ledger_that_verifies(root):
    ledger = open_ledger(root)
    publish(ledger, None, "one")
    publish(ledger, None, "two")
    publish(ledger, None, "one")
    assert ledger.verify() == []
