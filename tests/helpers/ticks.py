"""Sensors evaluated as their server does, and their answers carried out as the daemon does."""

import json

import dagster as dg
from small_project import Project
from tiny_project import SOURCES, materialize

from selection_assets.stage.asked import PARTITIONS_TAG
from sensors.definitions import build_code_location

LIBRARY = "watch_library_sources"


RAW_CORPUS = dg.AssetKey(["library", "raw_corpus"])


EMBEDDER = dg.AssetKey(["library", "static", "embedder"])


TARGET = dg.AssetKey(["small", "target_examples"])
CONTRAST = dg.AssetKey(["small", "contrast_examples"])


def tick(name: str, instance: dg.DagsterInstance, cursor: str | None = None):
    """Evaluate a sensor of the code location as its server does."""
    repository = build_code_location().get_repository_def()
    with dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        repository_def=repository,
        resources=repository.get_top_level_resources(),
        instance_ref=instance.get_ref(),
    ) as context:
        return repository.get_sensor_def(name).evaluate_tick(context)


def launch(answer, key: dg.AssetKey, instance: dg.DagsterInstance) -> None:
    """Do what the daemon does with a tick's answer, in this process."""
    for request in answer.dynamic_partitions_requests or ():
        instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
    for request in answer.run_requests:
        assert list(request.asset_selection or [key]) == [key]
        made = materialize(
            build_code_location(), instance, key, request.partition_key, tags=request.tags
        )
        assert made.success, [e.step_failure_data.error for e in made.get_step_failure_events()]


def partitions(answer) -> list[str]:
    """Sources that the answer asks to be read."""
    asked = []
    for request in answer.run_requests or ():
        one = [request.partition_key] if request.partition_key else []
        asked += json.loads(request.tags.get(PARTITIONS_TAG, json.dumps(one)))
    return asked


def read_all(project: Project, instance: dg.DagsterInstance) -> str:
    """Let the first tick's runs happen; returns the cursor after it."""
    answer = tick(LIBRARY, instance)
    assert partitions(answer) == sorted(SOURCES)
    launch(answer, RAW_CORPUS, instance)
    return answer.cursor
