"""Who waits for the ledger gets it in turn, and nobody who died or hangs in the queue blocks it."""

import time
from itertools import groupby
from pathlib import Path

import pytest
from real_processes import Child

from resources.ledger.database import Database, LedgerBusy
from resources.ledger.ledger import open_ledger

HURRY = """
import sys
from pathlib import Path
from resources.ledger.spends import Spender
from resources.ledger.ledger import open_ledger
from selection.budget.amounts import Amount

budget = open_ledger(Path(sys.argv[1])).spending
step = Spender("small", "small/x", "all", sys.argv[2], "cpu")
print("ready", flush=True)
sys.stdin.readline()
for _ in range(60):
    budget.reserve(step, Amount(1.0, 1.0))
"""

HOLD_THE_FIRST_PLACE = """
import sys
from pathlib import Path
from resources.ledger.database import Database

folder = Path(sys.argv[1])
with Database(folder / "ledger.duckdb", folder)._next_in_line(deadline=0.0):
    print("held", flush=True)
    sys.stdin.readline()
"""

FORK_IN_THE_QUEUE = """
import os, sys, time
from pathlib import Path
from resources.ledger.database import Database

folder = Path(sys.argv[1])
database = Database(folder / "ledger.duckdb", folder)
children = []
def fork():
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    children.append(child)
with database._next_in_line(deadline=0.0):
    fork()
with database.transaction():
    fork()
started = time.monotonic()
with database.transaction() as connection:
    connection.execute("INSERT INTO tombstone VALUES ('row', 'test', 'why', now())")
print(time.monotonic() - started, flush=True)
for child in children:
    os.kill(child, 9)
"""


def database(folder: Path, timeout: float) -> Database:
    return Database(folder / "ledger.duckdb", folder, timeout=timeout)


def test_of_two_processes_in_a_hurry_none_keeps_the_other_waiting(tmp_path):
    ledger = open_ledger(tmp_path)
    assert ledger.verify() == []
    both = [Child(HURRY, tmp_path, name) for name in ("a", "b")]
    assert [process.next_line() for process in both] == ["ready\n"] * 2
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in both:
        process.end()
    order = [
        row["run"] for row in ledger.query("SELECT body->>'run_id' AS run FROM entry ORDER BY seq")
    ]
    lots = [len(list(lot)) for _, lot in groupby(order)]
    assert len(order) == 120
    # Before the first lot's end and after the last one's beginning one of them was alone.
    assert max(lots[1:-1]) <= 6
    assert len(lots) > 30


def test_who_hangs_in_the_first_place_of_the_queue_delays_others_and_does_not_stop_them(tmp_path):
    holder = Child(HOLD_THE_FIRST_PLACE, tmp_path)
    assert holder.next_line() == "held\n"
    started = time.monotonic()
    with database(tmp_path, timeout=2.0).transaction():
        waited = time.monotonic() - started
    assert 0.9 < waited < 2.0
    holder.shoot()
    started = time.monotonic()
    with database(tmp_path, timeout=2.0).transaction():
        assert time.monotonic() - started < 0.9


def test_waiting_in_the_queue_counts_as_waiting(tmp_path):
    holder = Child(HOLD_THE_FIRST_PLACE, tmp_path)
    assert holder.next_line() == "held\n"
    busy = database(tmp_path, timeout=0.6)
    other = Child(
        "import sys; from filelock import FileLock\n"
        "with FileLock(sys.argv[1]): print('held', flush=True); sys.stdin.readline()",
        tmp_path / "ledger.duckdb.lock",
    )
    assert other.next_line() == "held\n"
    started = time.monotonic()
    with pytest.raises(LedgerBusy, match="stayed locked for 1 s"), busy.transaction():
        pass
    assert 0.5 < time.monotonic() - started < 3.0
    holder.shoot()
    other.shoot()


def test_a_child_forked_meanwhile_keeps_nobody_out(tmp_path):
    assert float(Child(FORK_IN_THE_QUEUE, tmp_path).end()) < 10
    with database(tmp_path, timeout=5.0).transaction() as connection:
        assert connection.table("tombstone").fetchall()
