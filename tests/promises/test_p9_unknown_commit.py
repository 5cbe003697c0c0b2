"""P9: after a lost acknowledgement, look the key up before trying again."""

from contextlib import contextmanager

import duckdb
import pytest
from spending import publish_report

from resources.ledger.database import ATTEMPTS, Database
from resources.ledger.ledger import Ledger
from resources.ledger.pending import Identity
from resources.ledger.spending import OverCap
from resources.ledger.spends import Cost, Spender
from resources.store.artifacts import ArtifactStore
from selection.budget.amounts import Amount, Cap

STEP = Spender("small", "small/x", "all", "run", "cpu", caps={"small": Cap("flops", 10.0)})
COST = Cost(4.0, "detailed", "cpu", 1.0, 1.0)


class Flaky(Database):
    """Loses the answers of its next writes: after the commit, or instead of it."""

    lost_answers = 0
    commits_first = True

    @contextmanager
    def transaction(self):
        with super().transaction() as connection:
            before = self._n_entries(connection)
            yield connection
            wrote = self._n_entries(connection) > before
            if wrote and self.lost_answers and not self.commits_first:
                self.lost_answers -= 1
                raise duckdb.IOException("the disk was full")
        if wrote and self.lost_answers:
            self.lost_answers -= 1
            raise duckdb.IOException("the connection was lost")

    @staticmethod
    def _n_entries(connection: duckdb.DuckDBPyConnection) -> int:
        return connection.execute("SELECT count(*) FROM entry").fetchone()[0]


@pytest.fixture(params=[True, False], ids=["committed", "not committed"])
def database(tmp_path, request) -> Flaky:
    database = Flaky(tmp_path / "ledger.duckdb", tmp_path / "artifacts")
    database.commits_first = request.param
    return database


@pytest.fixture
def ledger(tmp_path, database) -> Ledger:
    return Ledger(database, ArtifactStore(tmp_path / "artifacts"))


def rows(ledger: Ledger, statement: str) -> list[tuple]:
    return [tuple(row.values()) for row in ledger.query(statement)]


@pytest.mark.parametrize("times", [1, 3])
def test_every_kind_of_write_happens_once_when_its_answers_are_lost(
    ledger, database, times, figures
):
    database.lost_answers = times
    spend = ledger.spending.reserve(STEP, Amount(5.0, 1.0))
    assert database.lost_answers == 0 or database.commits_first
    database.lost_answers = times
    assert ledger.spending.extend(spend, Amount(flops=1.0))
    database.lost_answers = times
    identity = Identity("small/x", "all", "inputs", "code")
    publish_report(ledger, identity, "content", cost=COST, spend=spend)
    database.lost_answers = times
    stopped = ledger.spending.reserve(STEP, Amount(1.0, 1.0))
    ledger.spending.settle(stopped, Cost(0.5, "detailed", "cpu", 1.0, 1.0))
    database.lost_answers = 0

    kinds = rows(ledger, "SELECT kind, count(*) FROM entry GROUP BY kind ORDER BY kind")
    assert kinds == [("cap", 1), ("extend", 1), ("reserve", 2), ("settle", 2)]
    assert rows(ledger, "SELECT count(*) FROM materialization") == [(1,)]
    assert rows(ledger, "SELECT sum(reserved_flops) FROM spend") == [(7.0,)]
    assert ledger.spending.standing("small").settled.flops == 4.5
    assert ledger.verify() == []
    figures.record("P9", answers_lost=4 * times)


def test_a_refusal_is_recorded_once_when_its_answer_is_lost(ledger, database):
    database.lost_answers = 1
    with pytest.raises(OverCap):
        ledger.spending.reserve(STEP, Amount(flops=11.0))
    assert ledger.spending.refusals("small").keys() == {("small/x", "all")}


def test_a_store_that_never_answers_is_an_error_in_the_end(ledger, database):
    database.commits_first = False
    database.lost_answers = ATTEMPTS
    with pytest.raises(duckdb.IOException, match="the disk was full"):
        ledger.spending.reserve(STEP, Amount(flops=5.0))
    assert rows(ledger, "SELECT count(*) FROM spend") == [(0,)]
    assert ledger.verify() == []
