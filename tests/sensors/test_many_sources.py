"""Many files at once are one run a stage, and one bad one of them is nobody else's business."""

import dagster as dg
import pytest
from odd_files import UNREADABLE
from small_project import Project
from ticks import LIBRARY, RAW_CORPUS, launch, partitions, read_all, tick
from tiny_project import drop, materialize

from selection_assets.stage.asked import MOST_PARTITIONS
from sensors.definitions import build_code_location

TOKENS = dg.AssetKey(["library", "tiny", "pool_tokens"])
SCORES = dg.AssetKey(["small", "length_scores"])
TARGET = dg.AssetKey(["small", "target_examples"])
MANY = [f"new_{number:02}" for number in range(20)]


def drop_many(project: Project) -> None:
    for name in MANY:
        drop(project, f"{name}.jsonl", f"What there is to say about {name}.")


def test_twenty_new_files_and_a_changed_one_are_one_run(project, instance):
    cursor = read_all(project, instance)
    drop_many(project)
    drop(project, "asyncio.jsonl", "Something else about asyncio.")
    answer = tick(LIBRARY, instance, cursor)
    [request] = answer.run_requests
    assert partitions(answer) == sorted(["asyncio", *MANY])
    assert request.partition_key is None
    launch(answer, RAW_CORPUS, instance)
    assert set(MANY) < set(project.ledger.current_versions("library/raw_corpus"))
    assert len(instance.get_runs()) == 2  # with that of the first two sources
    assert tick(LIBRARY, instance, answer.cursor).skip_message == "22 sources unchanged"
    again = tick(LIBRARY, instance, cursor)
    assert [one.run_key for one in again.run_requests] == [request.run_key]


def test_a_bad_file_among_twenty_keeps_nobody_waiting_but_those_who_read_the_whole_pool(
    project, instance
):
    cursor = read_all(project, instance)
    definitions = build_code_location()
    assert materialize(definitions, instance, TARGET).success
    asked = ask(instance, None)
    drop_many(project)
    (project.root / "drop/new_07.jsonl").write_text(UNREADABLE)
    answer = tick(LIBRARY, instance, cursor)
    with pytest.raises(AssertionError, match="new_07"):
        launch(answer, RAW_CORPUS, instance)
    good = set(MANY) - {"new_07"}
    asked = ask(instance, asked.cursor)
    assert asked.get_requested_partitions(SCORES) == good
    after = tick(LIBRARY, instance, answer.cursor)
    [removed] = after.dynamic_partitions_requests
    assert removed.partition_keys == ["new_07"]
    assert "new_07.jsonl: it was read: 0 usable rows, 3 bad ones" in after.skip_message


def ask(instance: dg.DagsterInstance, cursor: object) -> dg.EvaluateAutomationConditionsResult:
    """Evaluate the conditions of the scores and of what they read, as the sensor does."""
    return dg.evaluate_automation_conditions(
        defs=build_code_location(),
        instance=instance,
        asset_selection=dg.AssetSelection.assets(RAW_CORPUS, TARGET, SCORES),
        cursor=cursor,  # pyright: ignore[reportArgumentType]
    )


def test_what_automation_and_the_ui_ask_for_is_one_run_of_a_bounded_number_of_sources(project):
    graph = build_code_location().resolve_asset_graph()
    for key in (RAW_CORPUS, TOKENS, SCORES):
        policy = graph.get(key).backfill_policy
        assert policy == dg.BackfillPolicy.multi_run(MOST_PARTITIONS)
    assert graph.get(TARGET).backfill_policy is None
