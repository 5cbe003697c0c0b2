"""What every stage owes its readers, on small stages through Dagster and the real ledger."""

from pathlib import Path

import dagster as dg
import pytest
from toy_stages import Toy, failure, reused

from resources.project import ROOT_VARIABLE
from resources.store.artifacts import CorruptArtifact
from selection_assets.definitions import project_resources
from selection_assets.stage.asked import FORCE_TAG
from selection_assets.stage.asset import build_asset

MATERIALIZE = """
import sys
import dagster as dg
from selection_assets.definitions import build_definitions

asset, partition = dg.AssetKey.from_user_string(sys.argv[1]), sys.argv[2]
job = build_definitions().resolve_implicit_global_asset_job_def()
with dg.DagsterInstance.get() as instance:
    job.execute_in_process(asset_selection=[asset], partition_key=partition, instance=instance)
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return Toy(tmp_path)


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
    assert reused(result) == {}
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
    assert reused(again) == {}
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
        [build_asset(toy.total()), build_asset(toy.numbers())],
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
        [build_asset(toy.numbers()), build_asset(toy.total(other=True))],
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


@pytest.mark.parametrize(
    "point",
    [
        *("after_rename", "after_ledger"),
        *(
            pytest.param(point, marks=pytest.mark.slow)
            for point in ("after_stage", "before_ledger")
        ),
    ],
)
def test_a_killed_step_done_again_gives_what_an_undisturbed_one_gives(zygote, project, point):
    asset, source = "library/raw_corpus", "asyncio"
    with project.instance() as instance:
        instance.add_dynamic_partitions("library_source", [source])
    zygote.start(project, asset, source, script=MATERIALIZE, SELECTION_CRASH_AT=point).die()
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
