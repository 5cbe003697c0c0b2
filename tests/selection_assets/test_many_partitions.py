"""One run makes many partitions: each is published, told and paid for as if it were alone."""

from pathlib import Path

import dagster as dg
import pytest
from toy_pool import COST, COUNTED, PARTITIONS, READ, ToyPool, events, not_made

from resources.project import ROOT_VARIABLE
from selection_assets.definitions import project_resources
from selection_assets.stage.failures import Kind

SOURCES = {"a": "one line", "b": "two\nlines", "c": "three\nwhole\nlines", "d": "one line"}


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToyPool:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return ToyPool(tmp_path, **SOURCES)


def status(pool: ToyPool, key: dg.AssetKey) -> dict[str, str]:
    """What Dagster's UI says of each partition."""
    found = pool.instance.get_status_by_partition(key, list(SOURCES), PARTITIONS)
    return {name: one.name if one is not None else "" for name, one in (found or {}).items()}


def test_each_partition_has_its_own_event_with_its_own_version_and_figures(pool):
    result = pool.run(READ, *SOURCES)
    assert result.success
    told = events(result)
    current = pool.ledger.current_versions("toy/read")
    assert set(told) == set(current) == set(SOURCES)
    for name, event in told.items():
        assert event.tags["dagster/data_version"] == current[name].version
        assert event.metadata["dagster/row_count"].value == len(SOURCES[name].splitlines())
        assert event.metadata["dagster/uri"].value == str(current[name].folder)
    assert status(pool, READ) == dict.fromkeys(SOURCES, "MATERIALIZED")


def test_an_event_says_of_which_versions_its_partition_was_made_as_dagster_would(pool):
    pool.run(READ, *SOURCES)
    told = events(pool.run(COUNTED, *SOURCES))

    @dg.asset(key=COUNTED, ins={"read": dg.AssetIn(READ)}, partitions_def=PARTITIONS)
    def same(read: object) -> None: ...

    for name in SOURCES:
        alone = dg.materialize(
            [*pool.assets[:1], same],
            selection=[COUNTED],
            partition_key=name,
            instance=pool.instance,
            resources={**project_resources(), "io_manager": dg.InMemoryIOManager()},
        )
        [event] = alone.get_asset_materialization_events()
        theirs = event.materialization.tags
        for tag in ("dagster/input_data_version/toy/read", "dagster/input_event_pointer/toy/read"):
            assert told[name].tags[tag] == theirs[tag]


def test_many_in_one_run_come_to_what_each_comes_to_in_a_run_of_its_own(
    pool, tmp_path, monkeypatch
):
    paid = "SELECT asset, partition, flops, state FROM spend ORDER BY ALL"
    for key in (READ, COUNTED):
        assert pool.run(key, *SOURCES).success
    together = pool.ledger.current_data_versions(), pool.ledger.query(paid)
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "alone"))
    (tmp_path / "alone").mkdir()
    alone = ToyPool(tmp_path / "alone", **SOURCES)
    for key in (READ, COUNTED):
        for name in SOURCES:
            assert alone.run(key, name).success
    assert (alone.ledger.current_data_versions(), alone.ledger.query(paid)) == together


def test_what_partitions_have_in_common_is_made_once_a_run(pool):
    pool.run(READ, *SOURCES)
    pool.run(COUNTED, "a", "b", "c")
    assert pool.loaded == ["a"]
    pool.run(COUNTED, "d")
    assert pool.loaded == ["a", "d"]


def test_a_run_makes_what_it_asks_for_and_nothing_that_lies_between(pool):
    assert set(events(pool.run(READ, "a", "d"))) == {"a", "d"}
    assert set(pool.current(READ)) == {"a", "d"}


def test_bad_sources_are_named_at_the_end_and_the_others_are_made(pool):
    pool.write("b", "be quiet!")
    (pool.folder / "c").unlink()
    result = pool.run(READ, *SOURCES)
    assert not result.success
    assert set(events(result)) == set(pool.current(READ)) == {"a", "d"}
    told = not_made(result)
    assert {name: one.kind for name, one in told.items()} == dict.fromkeys("bc", Kind.UNUSABLE)
    assert told["b"].reason == (
        "toy/read fails its check polite: No line is rude.\n  rude: 1\n  ask nicely"
    )
    assert told["c"].reason.startswith("FileNotFoundError: [Errno 2] No such file")
    assert status(pool, READ) == {"a": "MATERIALIZED", "b": "FAILED", "c": "FAILED"} | {
        "d": "MATERIALIZED"
    }


def test_a_check_of_many_partitions_names_those_that_failed(pool):
    assert pool.run(READ, "a", "d").get_asset_check_evaluations()[0].passed
    pool.write("b", "be quiet!")
    [check] = pool.run(READ, *SOURCES).get_asset_check_evaluations()
    assert not check.passed and check.severity == dg.AssetCheckSeverity.ERROR
    facts = {name: value.value for name, value in check.metadata.items()}
    assert facts == {
        "partitions": 2,  # the others were there
        "partitions_failed": 1,
        "failed": {"b": {"rude": 1, "remedy": "ask nicely"}},
    }


def test_a_source_that_turned_bad_keeps_its_version_and_leaves_those_beside_it_alone(pool):
    pool.run(READ, *SOURCES)
    before = pool.current(READ)
    pool.write("a", "be quiet!")
    result = pool.run(READ, "a", "d")
    assert set(not_made(result)) == {"a"}
    assert pool.current(READ) == before
    assert status(pool, READ) == dict.fromkeys("bcd", "MATERIALIZED") | {"a": "FAILED"}
    newest = pool.instance.get_latest_data_version_record(READ, partition_key="a")
    assert newest.asset_materialization.tags["dagster/data_version"] == (
        pool.ledger.current("toy/read", "a").version
    )


def test_what_a_missing_input_keeps_from_being_made_ends_the_run_by_its_name(pool):
    pool.run(READ, "a", "b")
    told = not_made(pool.run(COUNTED, *SOURCES))
    assert told["c"].kind == Kind.BROKEN
    assert told["c"].reason == "toy/read has no current version for c; materialize it first"
    assert set(pool.current(COUNTED)) == {"a", "b"}


def test_an_error_ends_the_run_and_what_was_published_stays(pool):
    pool.write("c", "thirteen")
    pool.run(READ, *SOURCES)
    result = pool.run(COUNTED, *SOURCES)
    assert {name: one.kind for name, one in not_made(result).items()} == {"c": Kind.BROKEN}
    assert set(events(result)) == set(pool.current(COUNTED)) == {"a", "b"}
    entries = pool.ledger.query("SELECT partition, state FROM spend WHERE asset = 'toy/counted'")
    assert {entry["partition"]: entry["state"] for entry in entries} == {
        "a": "settled",
        "b": "settled",
        "c": "lost",
    }


def test_a_cap_stops_some_in_the_middle_and_the_next_run_goes_on_from_there(pool):
    pool.run(READ, *SOURCES)
    pool.cap(2.5 * COST)
    result = pool.run(COUNTED, *SOURCES)
    told = not_made(result)
    assert {name: one.kind for name, one in told.items()} == dict.fromkeys("cd", Kind.REFUSED)
    assert "it may cost toy" in told["c"].reason
    assert set(events(result)) == set(pool.current(COUNTED)) == {"a", "b"}
    assert pool.ledger.spending.standing("toy").settled.flops == 2 * COST
    pool.cap(10 * COST)
    again = pool.run(COUNTED, *SOURCES)
    assert again.success
    told = {name: "reused" in event.metadata for name, event in events(again).items()}
    assert told == {"a": True, "b": True, "c": False, "d": False}
    assert pool.ledger.spending.standing("toy").settled.flops == 4 * COST
    assert pool.ledger.verify() == []
