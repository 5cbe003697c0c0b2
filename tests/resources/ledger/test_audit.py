"""What tampering with the ledger `Ledger.verify` sees, and what it cannot.

It cannot see what is consistent in itself: a tail cut off together with what it did to the tables,
or a chain that somebody computed anew from a changed entry on. Only the hash of an entry that was
noted elsewhere reveals those. Nor does any entry say what `UNSEEN` lists: times, signs of life, and
what a materialization's run measured of it.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.ledger.audit import audit
from resources.ledger.ledger import Identity, Ledger, open_ledger
from resources.ledger.spending import OverCap
from resources.ledger.spends import Cost, Spender
from selection.budget.amounts import Amount, Cap

PRICE = 3.0
CAPS = {"small": Cap("flops", 100.0), "other": Cap("usd", 100.0, PRICE)}
STEP = Spender(
    "pool",
    "pool/x",
    "all",
    "run",
    "cpu",
    payers={"small": 0.5, "other": 0.5},
    caps=CAPS,
    usd_per_device_hour=PRICE,
)
COST = Cost(4.0, "detailed", "cpu", 2.0, 3.0, resumed_flops=1.0)

ENTRY = ["seq", "made_at", "kind", "subject", "body", "previous", "hash"]
SEEN = {
    "spend": [
        *("id", "campaign", "asset", "partition", "run_id", "materialization", "state", "device"),
        *("usd_per_device_hour", "reserved_flops", "reserved_seconds"),
        *("planned_flops", "planned_seconds", "accountant"),
        *("flops", "resumed_flops", "device_seconds", "wall_seconds", "usd"),
    ],
    "share": ["spend", "campaign", "share"],
    "cap": ["campaign", "unit", "amount", "usd_per_device_hour"],
    "materialization": [
        *("id", "asset", "partition", "input_hash", "code_version", "data_version"),
    ],
    "current_version": ["materialization"],
}
UNSEEN = {
    "spend": ["begun_flops", "begun_seconds", "lease_until", "started_at", "ended_at"],
    "materialization": ["run_id", "path", "rows", "bytes", "started_at", "finished_at"],
    "cap": ["declared_unit", "declared"],
    "current_version": ["asset", "partition"],
}

Edit = Callable[[duckdb.DuckDBPyConnection], object]


def publish(ledger: Ledger, spend: str | None, text: str) -> None:
    ledger.publish(
        ledger._store.stage({"report.md": text}),
        Identity("pool/x", "all", text, "code"),
        campaign="pool",
        inputs=[],
        run_id="run",
        rows=1,
        started_at=datetime.now(UTC),
        cost=COST,
        spend=spend,
    )


def reserve(ledger: Ledger, flops: float = 6.0) -> str:
    return ledger.spending.reserve(STEP, Amount(flops, 5.0), planned=(flops, 4.0))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with every kind of entry and every state of a spend."""
    root = tmp_path_factory.mktemp("original")
    ledger = open_ledger(root)
    publish(ledger, reserve(ledger), "one")
    publish(ledger, None, "two")
    stopped = reserve(ledger)
    assert ledger.spending.extend(stopped, Amount(1.0, 1.0))
    ledger.spending.settle(stopped, COST)
    ledger.spending.lose(spend=reserve(ledger))
    with pytest.raises(OverCap):
        reserve(ledger, 1000.0)
    ledger.spending.settle(reserve(ledger), Cost(500.0, "detailed", "cpu", 1.0, 1.0))
    ledger.spending.raise_cap("small", Cap("flops", 900.0), actor="me", reason="worth it")
    reserve(ledger)
    assert {entry[2] for entry in entries(root)} == {
        *("cap", "reserve", "extend", "settle", "lose", "overrun", "refuse"),
    }
    return root


@pytest.fixture
def root(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copy"))


def edit(root: Path, statement: str | Edit, values: list | None = None) -> None:
    """Change the file as somebody with a DuckDB shell would."""
    with duckdb.connect(str(root / "ledger.duckdb")) as connection:
        if callable(statement):
            statement(connection)
        else:
            connection.execute(statement, values)


def entries(root: Path) -> list[tuple]:
    with duckdb.connect(str(root / "ledger.duckdb"), read_only=True) as connection:
        return connection.execute("SELECT * FROM entry ORDER BY seq").fetchall()


def problems(root: Path) -> list[str]:
    return open_ledger(root).verify()


def digest(entry: tuple) -> str:
    """The hash of an entry, worked out without the code under test."""
    return hashlib.sha256(json.dumps(list(entry[:6])).encode()).hexdigest()


def chained(found: list[tuple]) -> list[tuple]:
    """The same entries, numbered and hashed anew."""
    made, previous = [], "0" * 64
    for place, entry in enumerate(found, start=1):
        entry = (place, *entry[1:5], previous)
        previous = digest(entry)
        made.append((*entry, previous))
    return made


def put(root: Path, found: list[tuple]) -> None:
    """Replace all entries."""

    def change(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("DELETE FROM entry")
        connection.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", found)

    edit(root, change)


def another(column: str, value: object) -> object:
    """A value near this one, of the same type."""
    if column in ("lease_until", "ended_at"):
        return datetime.now(UTC)
    match value:
        case None:
            return 1
        case "running" | "settled":
            return "lost"
        case "lost":
            return "settled"
        case "flops" | "usd":
            return "device_hours"
        case str():
            return value + "x"
        case datetime():
            return value + timedelta(seconds=1)
        case int():
            return value + 1000
        case float():
            return value * 1.001 + 0.001
    raise AssertionError(f"no other value for {value!r}")


def each(
    root: Path, table: str, statement: str, value: Callable[[dict], list] = lambda _: []
) -> list[tuple[tuple, list[str]]]:
    """Do something to one row after the other, taking it back each time.

    Parameters
    ----------
    statement : changes or deletes the row whose number is its last parameter.
    value : of the row's number and columns, gives the other parameters.

    Returns
    -------
    list of tuple
        Each row as it was, and what was found wrong without it, or with the change.
    """
    found = []
    with duckdb.connect(str(root / "ledger.duckdb")) as connection:
        answer = connection.execute(f"SELECT rowid, * FROM {table} ORDER BY 1")
        names = [column[0] for column in answer.description or []]
        for row in answer.fetchall():
            given = value(dict(zip(names, row, strict=True)))
            connection.begin()
            connection.execute(statement, [*given, row[0]])
            found.append((row[1:], list(audit(connection))))
            connection.rollback()
    assert found
    return found


def tampered(root: Path, table: str, column: str) -> list[tuple[tuple, list[str]]]:
    """Change a column of one row after the other."""
    return each(
        root,
        table,
        f"UPDATE {table} SET {column} = ? WHERE rowid = ?",
        lambda row: [another(column, row[column])],
    )


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
        named = row[2] if table == "current_version" else row[0]
        assert any(table in p or named in p for p in found), (row, found)


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table in UNSEEN for column in UNSEEN[table]]
)
def test_what_no_entry_says_can_be_changed_unseen(root, table, column):
    for row, found in tampered(root, table, column):
        assert found == [], row


@pytest.mark.parametrize("table", ["entry", "spend", "share", "cap", "materialization"])
def test_a_row_that_is_gone_is_missed(root, table):
    for row, found in each(root, table, f"DELETE FROM {table} WHERE rowid = ?"):
        assert found, row
        if table == "entry" and row[0] < len(entries(root)):
            assert found[0].startswith(f"entry {row[0]} is missing")


@pytest.mark.parametrize("body", ["", "no JSON", "[]", "{}", '{"flops": "many"}', "NaN"])
def test_a_body_of_another_shape_is_named_and_stops_nothing(root, body):
    statement = "UPDATE entry SET body = ? WHERE rowid = ?"
    for row, found in each(root, "entry", statement, lambda _: [body]):
        assert any(f"entry {row[0]} " in problem for problem in found), row


@pytest.mark.parametrize("kind", ["cap", "reserve", "extend", "settle", "lose", "no such kind"])
def test_an_entry_of_another_kind_is_named_and_stops_nothing(root, kind):
    statement = "UPDATE entry SET kind = ? WHERE rowid = ?"
    for row, found in each(root, "entry", statement, lambda _: [kind]):
        assert row[2] == kind or any(f"entry {row[0]} " in problem for problem in found), row


def test_a_spend_that_nobody_reserved_is_named(root):
    edit(
        root,
        "INSERT INTO spend SELECT * REPLACE ('forged' AS id) FROM spend LIMIT 1",
    )
    assert problems(root) == ["spend forged: no entry reserves it"]


@pytest.mark.parametrize("place", [1, 5, 10])
def test_an_inserted_entry_is_named(root, place):
    found = entries(root)
    forged = (0, found[0][1], "lose", "nobody", "{}", "", "0" * 64)
    moved = [*found[: place - 1], forged, *found[place - 1 :]]
    put(root, [(number, *entry[1:]) for number, entry in enumerate(moved, start=1)])
    assert any(f"entry {place} " in problem for problem in problems(root))


@pytest.mark.parametrize(("one", "two"), [(1, 2), (3, 4), (2, 9)])
def test_swapped_entries_are_named(root, one, two):
    found = entries(root)
    found[one - 1], found[two - 1] = found[two - 1], found[one - 1]
    put(root, [(number, *entry[1:]) for number, entry in enumerate(found, start=1)])
    assert any(f"entry {one} " in problem for problem in problems(root))


def test_cutting_out_an_entry_that_changed_a_table_shows_even_in_a_chain_computed_anew(
    original, root
):
    found = entries(original)
    for place, entry in enumerate(found):
        if entry[2] == "refuse":
            continue  # it spent nothing: no table says that it happened
        if entry[2] == "cap" and any(e[2:4] == entry[2:4] for e in found[place + 1 :]):
            continue  # a cap that has been replaced since
        shutil.copy(original / "ledger.duckdb", root / "ledger.duckdb")
        put(root, chained([*found[:place], *found[place + 1 :]]))
        assert problems(root), (place, entry)


def test_a_tail_cut_off_with_what_it_did_shows_only_to_who_noted_the_head(tmp_path):
    ledger = open_ledger(tmp_path)
    publish(ledger, reserve(ledger), "one")
    kept = ledger.head()
    spend = reserve(ledger)
    noted = ledger.head()
    edit(tmp_path, "DELETE FROM entry WHERE seq > ?", [kept[0]])
    edit(tmp_path, "DELETE FROM share WHERE spend = ?", [spend])
    edit(tmp_path, "DELETE FROM spend WHERE id = ?", [spend])
    assert ledger.verify() == []
    assert ledger.head() == kept != noted
    assert ledger.verify(kept[1]) == []
    [problem] = ledger.verify(noted[1])
    assert noted[1] in problem


def test_a_chain_computed_anew_over_changed_tables_shows_only_to_who_noted_the_head(root):
    noted = open_ledger(root).head()
    found = entries(root)
    place = next(i for i, entry in enumerate(found) if entry[2] == "lose")
    spend, body = found[place][3], json.loads(found[place][4]) | {"flops": 0.0}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    found[place] = (*found[place][:4], text, *found[place][5:])
    put(root, chained(found))
    edit(root, "UPDATE spend SET flops = 0 WHERE id = ?", [spend])
    assert problems(root) == []
    assert open_ledger(root).head()[0] == noted[0]
    assert len(open_ledger(root).verify(noted[1])) == 1


operations = st.lists(
    st.tuples(
        st.sampled_from(
            ["reserve", "extend", "beat", "settle", "lose", "publish", "raise", "refuse", "expire"]
        ),
        st.floats(0, 1e15, allow_subnormal=False),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(operations)
def test_a_ledger_that_only_its_own_code_has_written_verifies(tmp_path_factory, done):
    root = tmp_path_factory.mktemp("random")
    ledger = open_ledger(root)
    budget, running = ledger.spending, []
    for number, (operation, size) in enumerate(done):
        if operation == "reserve":
            free = Spender("free", "free/é\x1b", "all", "run", "cpu", usd_per_device_hour=0.1)
            running.append(budget.reserve(free, Amount(size, size)))
        elif operation == "refuse":
            with pytest.raises(OverCap):
                budget.reserve(STEP, Amount(1e20, 0.0))
        elif operation == "raise":
            cap = Cap("flops", 101.0 + size + number)
            if (stands := budget.standing("small")) is None or stands.cap != cap:
                budget.raise_cap(
                    "small", cap, actor="me", reason="it's \u2013 \U0001f600 \x1b worth it"
                )
        elif operation == "publish":
            publish(ledger, running.pop() if running else None, f"{number}")
        elif not running:
            continue
        elif operation == "extend":
            budget.extend(running[-1], Amount(size, 0.1))
        elif operation == "beat":
            budget.beat(running[-1], Amount(size, 0.1))
        elif operation == "settle":
            budget.settle(running.pop(0), Cost(size, "detailed", "cpu", size / 3, 1.0))
        elif operation == "lose":
            budget.lose(spend=running[0], begun=Amount(size, size))
        elif operation == "expire":
            budget.beat(running[-1], Amount(1.0, 0.1), lease=timedelta(seconds=-1))
            assert budget.lose_expired() <= 1
        assert ledger.verify() == []
    assert ledger.verify() == []  # which makes the file where nothing has
    written = entries(root)
    assert written == chained(written)
    assert ledger.head() == ((written[-1][0], written[-1][-1]) if written else (0, "0" * 64))
