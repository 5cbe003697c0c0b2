"""A ledger with every kind of entry, and what somebody with a DuckDB shell may do to it."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from spending import publish_report

from resources.ledger.audit import audit
from resources.ledger.ledger import Ledger, open_ledger
from resources.ledger.pending import Identity
from resources.ledger.spending import OverCap
from resources.ledger.spends import Cost, Spender
from resources.store.artifacts import Artifact
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

Edit = Callable[[duckdb.DuckDBPyConnection], object]


def publish(
    ledger: Ledger, spend: str | None, text: str, *, inputs: Sequence[str] = ()
) -> Artifact:
    identity = Identity("pool/x", "all", text, "code")
    return publish_report(
        ledger, identity, text, cost=COST, campaign="pool", spend=spend, inputs=inputs
    )


def reserve(ledger: Ledger, flops: float = 6.0) -> str:
    return ledger.spending.reserve(STEP, Amount(flops, 5.0), planned=(flops, 4.0))


def write_every_entry(root: Path) -> Path:
    """Write a ledger with every kind of entry and every state of a spend; returns its folder."""
    ledger = open_ledger(root)
    first = publish(ledger, reserve(ledger), "one")
    publish(ledger, None, "two", inputs=[first.materialization])
    ledger.spending.foresee(
        "small", {("pool/x", "all"): (6.0, None), ("pool/y", "all"): (1.0, 2.0)}
    )
    ledger.spending.raise_cap("small", Cap("flops", 90.0), actor="me", reason="less will do")
    stopped = reserve(ledger)
    assert ledger.spending.extend(stopped, Amount(1.0, 1.0))
    ledger.spending.settle(stopped, COST)
    ledger.spending.lose(spend=reserve(ledger))
    lost = reserve(ledger)
    ledger.spending.lose(spend=lost, begun=Amount(2.0, 1.0))
    publish(ledger, lost, "three")  # it was not dead, and reserves anew
    with pytest.raises(OverCap):
        reserve(ledger, 1000.0)
    ledger.spending.settle(reserve(ledger), Cost(500.0, "detailed", "cpu", 1.0, 1.0))
    ledger.spending.raise_cap("small", Cap("flops", 900.0), actor="me", reason="worth it")
    raised = replace(STEP, caps=CAPS | {"small": Cap("flops", 900.0)})
    ledger.spending.reserve(raised, Amount(6.0, 5.0))
    with pytest.raises(OverCap):
        ledger.spending.reserve(replace(raised, partition="other"), Amount(1e4, 1.0))
    assert {entry[2] for entry in entries(root)} == {
        *("cap", "reserve", "extend", "settle", "lose", "overrun", "refuse"),
        *("declare", "foresee"),
    }
    return root


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
