"""What every stage owes its readers, on small stages through Dagster and the real ledger."""

import json
import math
from pathlib import Path

import dagster as dg
import pytest
from real_processes import die

from resources.ledger.database import Database
from resources.ledger.ledger import Ledger, open_ledger
from resources.project import ROOT_VARIABLE
from resources.store.artifacts import CorruptArtifact
from selection_assets.definitions import project_resources
from selection_assets.stage.decorator import stage
from selection_assets.stage.draft import Check, Draft
from selection_assets.stage.expected import Expected
from selection_assets.stage.run_step import FORCE_TAG
from selection_assets.stage.stage import Stage
from selection_assets.stage.step import Step

MATERIALIZE = """
import sys
import dagster as dg
from selection_assets.definitions import defs

asset, partition = dg.AssetKey.from_user_string(sys.argv[1]), sys.argv[2]
job = defs.resolve_implicit_global_asset_job_def()
with dg.DagsterInstance.get() as instance:
    job.execute_in_process(asset_selection=[asset], partition_key=partition, instance=instance)
"""


class Toy:
    """Two stages over one file: `numbers` reads it, `total` adds them up on the device."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "numbers.json"
        self.store = folder / "store"
        self.instance = dg.DagsterInstance.ephemeral()
        self.write([1, 2])

    def write(self, numbers: object, *, padding: str = "") -> None:
        self.file.write_text(json.dumps(numbers) + padding)

    @property
    def ledger(self) -> Ledger:
        return open_ledger(self.store)

    def numbers(self) -> Stage:
        @stage(
            key=dg.AssetKey(["toy", "numbers"]),
            campaign="toy",
            outside=lambda _: {"numbers": self.file.read_text()},
            checks={"not_negative": "No number is negative."},
        )
        def numbers(step: Step) -> Draft:
            values = json.loads(self.file.read_text())
            return Draft(
                {"numbers.json": values},
                rows=len(values),
                facts={"numbers": values},
                checks=[Check("not_negative", min(values) >= 0, {"smallest": min(values)})],
            )

        return numbers

    def total(self, **parameters: object) -> Stage:
        @stage(
            key=dg.AssetKey(["toy", "total"]),
            campaign="toy",
            ins={"numbers": dg.AssetIn(dg.AssetKey(["toy", "numbers"]))},
            parameters=parameters,
            costly=True,
            expects=lambda _: Expected(5.0),
        )
        def total(step: Step) -> Draft:
            value = sum(step.one("numbers").json("numbers.json"))
            if value == 13:
                raise ArithmeticError("thirteen")
            return Draft(
                {"total.json": [value]},
                rows=1,
                flops=5.0,
                accountant="detailed",
                facts={"total": math.nan if value == 14 else value},
            )

        return total

    def run(self, *stages: Stage, force: bool = False) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [made.asset for made in stages or (self.numbers(), self.total())],
            resources=project_resources(),
            instance=self.instance,
            tags={FORCE_TAG: "yes"} if force else None,
            raise_on_error=False,
        )

    def current(self, name: str) -> object:
        artifact = self.ledger.current(f"toy/{name}", "all")
        return artifact.json(f"{name}.json") if artifact else None

    def spend(self) -> list[tuple]:
        database = Database(self.store / "ledger.duckdb", self.store / "artifacts")
        with database.transaction() as connection:
            return connection.execute(
                "SELECT asset, state, flops FROM spend ORDER BY asset, state DESC"
            ).fetchall()


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return Toy(tmp_path)


def reused(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Which of the materialized stages were answered with what was there."""
    found = {}
    for event in result.get_asset_materialization_events():
        materialization = event.materialization
        name = materialization.asset_key.path[-1]
        found[name] = "reused" in materialization.metadata
    return found


def failure(result: dg.ExecuteInProcessResult) -> str:
    [event] = [e for e in result.all_events if e.event_type_value == "STEP_FAILURE"]
    data = event.step_failure_data
    return data.error_display_string


def test_a_second_materialization_recomputes_and_spends_nothing(toy):
    assert reused(toy.run()) == {"numbers": False, "total": False}
    spent = toy.spend()
    again = toy.run()
    assert reused(again) == {"numbers": True, "total": True}
    assert toy.spend() == spent == [("toy/numbers", "settled", 0.0), ("toy/total", "settled", 5.0)]


def test_a_reused_version_shows_what_its_first_materialization_showed(toy):
    first, again = toy.run(), toy.run()

    def shown(result: dg.ExecuteInProcessResult) -> dict:
        [made] = result.asset_materializations_for_node("toy__total")
        return {name: entry.value for name, entry in made.metadata.items()}

    assert shown(again) == {**shown(first), "reused": True}
    assert shown(first)["dagster/row_count"] == 1
    assert shown(first)["flops"] == 5.0


def test_the_data_version_in_dagster_is_the_hash_in_the_ledger(toy):
    toy.run()
    for name in ("numbers", "total"):
        key = dg.AssetKey(["toy", name])
        event = toy.instance.get_latest_materialization_event(key)
        tags = event.asset_materialization.tags
        assert tags["dagster/data_version"] == toy.ledger.current(f"toy/{name}", "all").version


def test_changed_content_is_passed_on(toy):
    toy.run()
    toy.write([1, 2, 3])
    assert reused(toy.run()) == {"numbers": False, "total": False}
    assert toy.current("total") == [6]


def test_a_changed_file_with_the_same_content_stops_at_its_reader(toy):
    toy.run()
    toy.write([1, 2], padding="\n\n")
    assert reused(toy.run()) == {"numbers": False, "total": True}


def test_changed_parameters_make_a_stage_stale(toy):
    toy.run(toy.numbers(), toy.total(rounding=1))
    toy.run(toy.numbers(), toy.total(rounding=1))
    result = toy.run(toy.numbers(), toy.total(rounding=2))
    assert reused(result) == {"numbers": True, "total": False}


def test_going_back_to_earlier_inputs_gives_the_earlier_version(toy):
    toy.run()
    before = toy.ledger.current("toy/total", "all")
    toy.write([5])
    toy.run()
    toy.write([1, 2])
    toy.run()
    assert toy.ledger.current("toy/total", "all") == before


def test_a_forced_run_repeats_what_is_done_and_finds_the_same(toy):
    toy.run()
    before = toy.ledger.current("toy/total", "all")
    assert reused(toy.run(force=True)) == {"numbers": False, "total": False}
    assert toy.ledger.current("toy/total", "all") == before
    assert len(toy.spend()) == 4  # the second computation was paid for as well


def test_a_failed_check_keeps_the_earlier_version_and_stops_what_comes_after(toy):
    toy.run()
    toy.write([-1, 2])
    result = toy.run()
    assert not result.success
    assert reused(result) == {"numbers": False}
    assert toy.current("numbers") == [1, 2]
    assert toy.current("total") == [3]
    [check] = result.get_asset_check_evaluations()
    assert not check.passed
    assert check.metadata["smallest"].value == -1


def test_a_failed_version_is_never_reused(toy):
    toy.write([-1])
    assert not toy.run().success
    again = toy.run()
    assert not again.success
    assert reused(again) == {"numbers": False}
    assert toy.current("numbers") is None


def test_the_next_good_version_is_passed_on_after_a_failed_one(toy):
    toy.run()
    toy.write([-1])
    toy.run()
    toy.write([4])
    assert toy.run().success
    assert toy.current("total") == [4]


def test_a_stage_whose_input_was_never_made_says_which(toy):
    result = dg.materialize(
        [toy.total().asset, toy.numbers().asset],
        selection=[dg.AssetKey(["toy", "total"])],
        resources=project_resources(),
        instance=toy.instance,
        raise_on_error=False,
    )
    assert not result.success
    assert "toy/numbers has no current version for all; materialize it first" in failure(result)


@pytest.mark.parametrize(
    ("numbers", "message"), [([6, 7], "thirteen"), ([6, 8], "metadata 'total' is nan")]
)
def test_a_step_that_fails_publishes_nothing_and_its_spend_becomes_a_loss(toy, numbers, message):
    toy.run()
    toy.write(numbers)
    result = toy.run()
    assert message in failure(result)
    assert toy.current("total") == [3]
    assert toy.ledger.spending.lose(run_id=result.run_id) == 0  # nothing is left to the sensor
    assert [entry for entry in toy.spend() if entry[0] == "toy/total"] == [
        ("toy/total", "settled", 5.0),
        ("toy/total", "lost", 5.25),
    ]


def test_a_damaged_input_fails_its_reader_by_the_file_s_name(toy):
    toy.run()
    artifact = toy.ledger.current("toy/numbers", "all")
    (artifact.folder / "numbers.json").write_text("[1, 3]")
    with pytest.raises(CorruptArtifact):
        artifact.verify()
    result = dg.materialize(
        [toy.numbers().asset, toy.total(other=True).asset],
        selection=[dg.AssetKey(["toy", "total"])],
        resources=project_resources(),
        instance=toy.instance,
        raise_on_error=False,
    )
    assert not result.success
    assert str(artifact.folder / "numbers.json") in failure(result)


def test_a_damaged_version_is_made_again_instead_of_reused(toy):
    toy.run()
    artifact = toy.ledger.current("toy/numbers", "all")
    (artifact.folder / "numbers.json").write_text("[1, 3]")
    assert reused(toy.run()) == {"numbers": False, "total": True}
    artifact.verify()
    assert toy.current("numbers") == [1, 2]


@pytest.mark.parametrize("point", ["after_stage", "after_rename", "before_ledger", "after_ledger"])
def test_a_killed_step_done_again_gives_what_an_undisturbed_one_gives(project, point):
    asset, source = "library/raw_corpus", "asyncio"
    with project.instance() as instance:
        instance.add_dynamic_partitions("library_source", [source])
    die(MATERIALIZE, asset, source, SELECTION_CRASH_AT=point)
    survived = project.ledger.current(asset, source)
    assert (survived is not None) == (point == "after_ledger")

    job = project.definitions.resolve_implicit_global_asset_job_def()
    selection = [dg.AssetKey.from_user_string(asset)]
    with project.instance() as instance:
        result = job.execute_in_process(
            asset_selection=selection, partition_key=source, instance=instance
        )
        assert reused(result) == {"raw_corpus": point == "after_ledger"}
        published = project.ledger.current(asset, source)
        forced = job.execute_in_process(
            asset_selection=selection,
            partition_key=source,
            instance=instance,
            tags={FORCE_TAG: "yes"},
        )
    assert forced.success
    assert project.ledger.current(asset, source) == published
    folders = (project.workspace.folder / "artifacts" / asset / source).iterdir()
    assert [folder.name for folder in folders] == [published.version]
    published.verify()
