"""A file of another program in the ledger's place is named, and never waited for or begun anew."""

import sqlite3
from pathlib import Path

import duckdb
import pytest
from spending import reserve

from resources.ledger.ledger import Ledger, open_ledger
from resources.ledger.loss import LedgerLost
from resources.ledger.recover import find_recovery, rebuild
from resources.ledger.schema import UnknownLedger


def of_duckdb(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE prices (amount DOUBLE)")


def of_sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE prices (amount DOUBLE)")
    connection.commit()
    connection.close()


def of_nobody(path: Path) -> None:
    path.write_bytes(b"\0" * 4096)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger that has spent something, whose file is gone."""
    ledger = open_ledger(tmp_path)
    reserve(ledger, "small/x")
    (tmp_path / "ledger.duckdb").unlink()
    return ledger


@pytest.mark.parametrize(
    ("put", "said"),
    [
        (of_duckdb, "is another program's database, with the tables prices; nothing is read"),
        (of_sqlite, r"is damaged \(no DuckDB database\); nothing is read"),
        (of_nobody, r"is damaged \(no DuckDB database\); nothing is read"),
    ],
)
def test_it_is_named_and_recovery_sets_it_aside(ledger, tmp_path, put, said):
    put(tmp_path / "ledger.duckdb")
    with pytest.raises(LedgerLost, match=said):
        ledger.query("SELECT * FROM spend")
    assert "`selection recover` shows" in find_recovery(ledger).lost
    rebuild(ledger, actor="me", reason="another file was there")
    assert ledger.verify() == []
    assert len(list(tmp_path.glob("ledger.duckdb.damaged-*"))) == 1


def test_a_ledger_of_another_version_is_told_from_them_and_nobody_is_told_to_move_it(
    ledger, tmp_path
):
    with duckdb.connect(str(tmp_path / "ledger.duckdb")) as connection:
        connection.execute("CREATE TABLE materialization (id VARCHAR)")
    with pytest.raises(UnknownLedger, match=r"tables of version 1, .*go on with that version"):
        ledger.query("SELECT 1")
