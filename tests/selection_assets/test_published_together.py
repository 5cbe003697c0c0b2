"""What a step has made of many partitions goes to the ledger together, and soon."""

from math import inf
from pathlib import Path

import pytest
from toy_pool import COUNTED, READ, ToyPool, events, not_made

from resources.ledger.database import LedgerBusy
from resources.ledger.ledger import Ledger
from resources.project import ROOT_VARIABLE
from selection_assets.stage import run_partitions, waiting
from selection_assets.stage.failures import Kind

SOURCES = {name: f"all about {name}" for name in "abcdefg"}


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToyPool:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(waiting, "SECONDS", inf)
    return ToyPool(tmp_path, **SOURCES)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Partitions of each transaction that published any, as one string."""
    told: list[str] = []
    publish_all = Ledger.publish_all

    def spy(ledger, many):
        told.append("".join(one.identity.partition for one in many))
        return publish_all(ledger, many)

    monkeypatch.setattr(Ledger, "publish_all", spy)
    return told


@pytest.mark.parametrize(
    ("seconds", "at_most", "together"),
    [(inf, 32, ["abcdefg"]), (inf, 3, ["abc", "def", "g"]), (0.0, 32, list("abcdefg"))],
)
def test_it_waits_for_so_long_and_for_so_many_at_most(
    pool, published, monkeypatch, seconds, at_most, together
):
    monkeypatch.setattr(waiting, "SECONDS", seconds)
    monkeypatch.setattr(waiting, "AT_MOST", at_most)
    result = pool.run(READ, *SOURCES)
    assert published == together
    assert list(events(result)) == list(pool.current(READ)) == list(SOURCES)
    assert pool.ledger.verify() == []


def test_what_holds_a_reservation_does_not_wait(pool, published):
    pool.run(READ, *SOURCES)
    pool.run(COUNTED, *SOURCES)
    assert published == ["abcdefg", *SOURCES]


def test_what_was_found_made_is_told_in_its_turn(pool, published):
    pool.run(READ, "b", "c")
    result = pool.run(READ, *SOURCES)
    assert published == ["bc", "adefg"]
    told = events(result)
    assert list(told) == list(SOURCES)
    assert [name for name, event in told.items() if "reused" in event.metadata] == ["b", "c"]


def test_what_is_finished_when_somebody_stops_the_run_is_kept(pool, published, monkeypatch):
    run_step = run_partitions.run_step

    def stopped(stage, step, *others):
        if step.partition == "d":
            raise KeyboardInterrupt
        return run_step(stage, step, *others)

    monkeypatch.setattr(run_partitions, "run_step", stopped)
    assert not pool.run(READ, *SOURCES).success
    assert published == ["abc"]
    monkeypatch.setattr(run_partitions, "run_step", run_step)
    pool.run(READ, *SOURCES)
    assert published == ["abc", "defg"]


def test_what_could_not_be_published_is_named_and_ends_the_run(pool, monkeypatch):
    def busy(*_):
        raise LedgerBusy("somebody has it")

    monkeypatch.setattr(waiting, "AT_MOST", 3)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "publish_all", busy)
        told = not_made(pool.run(READ, *SOURCES))
    assert {name: (one.kind, one.reason) for name, one in told.items()} == dict.fromkeys(
        "abc", (Kind.BROKEN, "somebody has it")
    )
    assert pool.current(READ) == {}
    assert pool.run(READ, *SOURCES).success
