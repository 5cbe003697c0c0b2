"""Derived assets ask for a refresh when, and only when, something they read is different."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
from small_project import Project, enter
from tiny_project import SOURCES, drop, materialize, write_tiny_project

from sensors.definitions import build_automation_sensor, build_code_location

pytestmark = pytest.mark.study

RAW_CORPUS = dg.AssetKey(["library", "raw_corpus"])
TARGET = dg.AssetKey(["small", "target_examples"])
SCORES = dg.AssetKey(["small", "length_scores"])
TOKENIZER = dg.AssetKey(["library", "tiny", "base_tokenizer"])
WATCHED = [RAW_CORPUS, TARGET, SCORES, TOKENIZER]


@dataclass
class Automation:
    """The project's assets under the real conditions, evaluated tick by tick."""

    project: Project
    instance: dg.DagsterInstance
    definitions: dg.Definitions = field(default_factory=build_code_location)
    cursor: object = None

    def tick(self) -> set[tuple[str, str | None]]:
        """What one evaluation asks for, as (asset, partition)."""
        result = dg.evaluate_automation_conditions(
            defs=self.definitions,
            instance=self.instance,
            asset_selection=dg.AssetSelection.assets(*WATCHED),
            cursor=self.cursor,  # pyright: ignore[reportArgumentType]
        )
        self.cursor = result.cursor
        return {
            (key.path[-1], partition)
            for key in WATCHED
            for partition in result.get_requested_partitions(key)
        }

    def run(self, key: dg.AssetKey, partition: str | None = None) -> bool:
        return materialize(self.definitions, self.instance, key, partition).success

    def score(self, asked: set[tuple[str, str | None]]) -> None:
        """Make the scores that were asked for; the tokenizer would need more text than this."""
        for name, partition in sorted(asked, key=str):
            assert name == "base_tokenizer" or self.run(SCORES, partition)


@pytest.fixture
def automation(tmp_path: Path) -> Iterator[Automation]:
    """Two sources read, their scores made as asked for, and nothing left to ask for."""
    for project in enter(write_tiny_project(tmp_path / "project")):
        with project.instance() as instance:
            automation = Automation(project, instance)
            instance.add_dynamic_partitions("library_source", list(SOURCES))
            assert automation.tick() == set(), "inputs that were never made"
            for source in SOURCES:
                assert automation.run(RAW_CORPUS, source)
            assert automation.run(TARGET)
            asked = automation.tick()
            assert asked == {("base_tokenizer", None)} | {("length_scores", s) for s in SOURCES}
            assert automation.tick() == set(), "asked already"
            automation.score(asked)
            assert automation.tick() == set()
            yield automation


def test_a_refresh_with_identical_data_asks_for_nothing(automation):
    assert automation.run(RAW_CORPUS, "email")
    assert automation.tick() == set(), "reused"
    # Read again because its date changed, and found to be the same.
    os.utime(automation.project.root / "drop/email.jsonl")
    assert automation.run(RAW_CORPUS, "email")
    assert automation.tick() == set()


def test_a_changed_row_asks_once_for_what_reads_it_and_for_nothing_else(automation):
    drop(automation.project, "email.jsonl", "Something else about email.")
    assert automation.run(RAW_CORPUS, "email")
    asked = automation.tick()
    assert asked == {("length_scores", "email"), ("base_tokenizer", None)}
    assert automation.tick() == set()
    automation.score(asked)
    assert automation.tick() == set()


def test_news_that_comes_right_after_a_request_is_not_lost(automation):
    whole_pool = ("base_tokenizer", None)
    for source in SOURCES:
        drop(automation.project, f"{source}.jsonl", f"Something else about {source}.")
        assert automation.run(RAW_CORPUS, source)
        assert automation.tick() == {("length_scores", source), whole_pool}
    assert automation.tick() == set()


def test_a_version_that_failed_a_blocking_check_is_not_passed_on(automation):
    ledger = automation.project.ledger
    before = ledger.current("library/raw_corpus", "email").version
    scores = ledger.current("small/length_scores", "email").version
    path = drop(automation.project, "email.jsonl", "A changed row.")
    path.write_text(path.read_text() + "this line is no JSON\n")
    assert not automation.run(RAW_CORPUS, "email")
    assert automation.tick() == set()

    # A check of Dagster's has one outcome for all partitions, so the next good source lets the
    # bad one's news through; its readers then find the good version before it, and reuse theirs.
    drop(automation.project, "asyncio.jsonl", "Something else about asyncio.")
    assert automation.run(RAW_CORPUS, "asyncio")
    asked = automation.tick()
    assert ("length_scores", "asyncio") in asked
    automation.score(asked)
    assert ledger.current("library/raw_corpus", "email").version == before
    assert ledger.current("small/length_scores", "email").version == scores

    drop(automation.project, "email.jsonl", "A changed row.")
    assert automation.run(RAW_CORPUS, "email")
    assert automation.tick() == {("length_scores", "email"), ("base_tokenizer", None)}


def test_the_one_automation_sensor_is_named_covers_every_asset_and_is_stopped():
    sensor = build_automation_sensor()
    assert sensor.name == "refresh_derived_assets"
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED
    repository = build_code_location().get_repository_def()
    assert sensor.asset_selection is not None
    assert sensor.asset_selection.resolve(repository.asset_graph) == set(
        repository.asset_graph.get_all_asset_keys()
    )
    assert not any("default_automation" in s.name for s in repository.sensor_defs)
