import re
import stat
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from real_processes import Child, run
from spending import GONE, reserve

from resources.ledger.database import Database, LedgerBusy
from resources.ledger.ledger import open_ledger
from resources.ledger.loss import LedgerLost
from selection.budget.amounts import Amount

INSERT = "INSERT INTO tombstone VALUES (?, 'test', 'why', now())"

WRITE = """
import sys
from pathlib import Path
from resources.ledger.spends import Spender
from resources.ledger.ledger import open_ledger
from selection.budget.amounts import Amount
ledger = open_ledger(Path(sys.argv[1]))
for i in range(25):
    ledger.spending.reserve(
        Spender("campaign", "asset", f"{sys.argv[2]}-{i}", "run", "cpu"), Amount(1.0, 1.0)
    )
"""

HOLD_THE_LOCK = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""

OPEN_A_SHELL = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""

CREATE_WITHOUT_UMASK = """
import os, sys
from pathlib import Path
os.umask(0)
from resources.ledger.ledger import open_ledger
open_ledger(Path(sys.argv[1])).verify()
"""


FORK = """
import os, sys
from pathlib import Path
from resources.ledger.ledger import open_ledger
ledger = open_ledger(Path(sys.argv[1]))
ledger.verify()
child = os.fork()
if child:
    ledger.verify()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.fixture(params=["of a new engine", "of a kept engine"])
def database(tmp_path: Path, request: pytest.FixtureRequest) -> Database:
    (tmp_path / "artifacts").mkdir()
    database = Database(tmp_path / "ledger.duckdb", tmp_path / "artifacts")
    if request.param == "of a kept engine":
        with database.transaction():
            pass
    return database


def count(database: Database, table: str) -> int:
    with database.transaction() as connection:
        return len(connection.table(table).fetchall())


def test_two_processes_that_write_at_once_lose_nothing(tmp_path):
    writers = [Child(WRITE, tmp_path, name) for name in ("a", "b")]
    for writer in writers:
        writer.end()
    with Database(tmp_path / "ledger.duckdb", tmp_path / "artifacts").transaction() as connection:
        found = connection.execute("SELECT partition FROM spend").fetchall()
    assert {row[0] for row in found} == {f"{name}-{i}" for name in "ab" for i in range(25)}
    assert len(found) == 50


def test_an_exception_takes_back_everything_of_its_transaction(database):
    def fail_half_way() -> None:
        with database.transaction() as connection:
            connection.execute(INSERT, ["row"])
            raise KeyError("half way")

    with pytest.raises(KeyError, match="half way"):
        fail_half_way()
    assert count(database, "tombstone") == 0
    with database.transaction() as connection:  # and the lock is free again
        connection.execute(INSERT, ["row"])
    assert count(database, "tombstone") == 1


def test_between_transactions_the_file_is_anybody_s(database, tmp_path):
    assert count(database, "tombstone") == 0
    with duckdb.connect(tmp_path / "ledger.duckdb") as shell:
        shell.execute(INSERT, ["row"])
    assert count(database, "tombstone") == 1


def test_a_process_forked_between_transactions_ends_well(tmp_path):
    assert run(FORK, tmp_path) == "0\n"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_text('{outside}')",
        "SELECT * FROM read_parquet('{inside}/../secret.txt')",
        "SELECT * FROM '{outside}'",
        "COPY (SELECT 1) TO '{folder}/written.csv'",
        "ATTACH '{folder}/other.duckdb' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_parquet('https://example.org/rows.parquet')",
        "EXPORT DATABASE '{folder}/exported'",
    ],
)
def test_sql_reaches_nothing_outside_its_folder(database, tmp_path, statement):
    (tmp_path / "secret.txt").write_text("secret")
    before = {path.name for path in tmp_path.iterdir()}
    statement = statement.format(
        outside=tmp_path / "secret.txt", inside=tmp_path / "artifacts", folder=tmp_path
    )
    with database.transaction() as connection, pytest.raises(duckdb.Error):
        connection.execute(statement)
    assert {p.name for p in tmp_path.iterdir()} - before <= {"ledger.duckdb", "ledger.duckdb.lock"}


def test_sql_reads_the_artifacts(database, tmp_path):
    rows = tmp_path / "artifacts/rows.parquet"
    pq.write_table(pa.table({"row_id": ["a"]}), rows)
    with database.transaction() as connection:
        found = connection.execute("SELECT row_id FROM read_parquet(?)", [[str(rows)]]).fetchall()
    assert found == [("a",)]


@pytest.mark.parametrize(
    "setting", ["enable_external_access = true", "allowed_directories = ['/']", "threads = 1"]
)
def test_the_settings_are_locked(database, setting):
    with (
        database.transaction() as connection,
        pytest.raises(duckdb.Error, match=r"configuration has been locked|[Cc]annot|locked"),
    ):
        connection.execute(f"SET {setting}")


def test_a_quote_in_the_folder_s_name_stays_a_name(tmp_path):
    folder = tmp_path / "it's; DROP TABLE spend; --"
    ledger = open_ledger(folder)
    reserve(ledger, "a", "p", "r", holder=GONE)
    assert ledger.spending.lose(run_id="r") == 1


@pytest.mark.parametrize(
    ("script", "held", "message"),
    [
        (HOLD_THE_LOCK, "ledger.duckdb.lock", "find the process that holds .*ledger.duckdb.lock"),
        (OPEN_A_SHELL, "ledger.duckdb", "open in another program, perhaps a DuckDB shell"),
    ],
)
def test_a_busy_ledger_says_what_holds_it(tmp_path, script, held, message):
    (tmp_path / "artifacts").mkdir()
    database = Database(
        tmp_path / "ledger.duckdb", tmp_path / "artifacts", timeout=0.3, patience=0.3
    )
    holder = Child(script, tmp_path / held)
    try:
        assert holder.next_line() == "held\n"
        with pytest.raises(LedgerBusy, match=message) as caught, database.transaction():
            pass
        assert re.search(re.escape(str(tmp_path / "ledger.duckdb")), str(caught.value))
    finally:
        holder.shoot()
    with database.transaction() as connection:  # the holder is dead, and so is its lock
        connection.execute(INSERT, ["row"])


def test_what_it_creates_is_its_owner_s_alone(tmp_path):
    run(CREATE_WITHOUT_UMASK, tmp_path / "project/store")

    def mode(name: str) -> int:
        return stat.S_IMODE((tmp_path / name).stat().st_mode)

    assert mode("project/store/ledger.duckdb") == 0o600
    assert mode("project/store") == 0o700
    assert mode("project/store/artifacts") == 0o700


def test_sql_in_a_partition_key_stays_data(tmp_path):
    ledger = open_ledger(tmp_path)
    key = "x'); DROP TABLE spend; --"
    reserve(ledger, "a", key, "run'; DROP TABLE input; --", holder=GONE)
    assert ledger.spending.lose(run_id="run'; DROP TABLE input; --") == 1
    with Database(tmp_path / "ledger.duckdb", tmp_path / "artifacts").transaction() as connection:
        assert connection.execute("SELECT partition FROM spend").fetchall() == [(key,)]
        assert connection.execute("SELECT * FROM input").fetchall() == []


def test_a_store_that_is_moved_away_while_a_step_runs_is_not_begun_anew(tmp_path):
    store = tmp_path / "store"
    ledger = open_ledger(store)
    spend = reserve(ledger)
    store.rename(tmp_path / "moved")
    with pytest.raises(LedgerLost, match=r"has gone while this process ran.*put it back"):
        ledger.spending.beat(spend, Amount())
    assert not store.exists()
    # Something else of the step may have made the folder.
    with pytest.raises(LedgerLost, match=r"has gone while this process ran.*put it back"):
        open_ledger(store).spending.beat(spend, Amount())
    assert not (store / "ledger.duckdb").exists()
    (store / "artifacts").rmdir()
    for left in store.iterdir():
        left.unlink()
    store.rmdir()
    (tmp_path / "moved").rename(store)
    assert ledger.spending.beat(spend, Amount())
