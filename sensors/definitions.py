"""The code location: everything Dagster is to know, and when it is to run."""

import dagster as dg

from selection_assets import definitions as assets
from selection_assets.studies import load_pools, load_studies
from sensors.automation import build_automation_sensor
from sensors.drop_folder import build_source_sensor
from sensors.run_failure import record_failed_runs, settle_dead_runs
from sensors.target import build_target_sensors


def build_code_location() -> dg.Definitions:
    """Read the project's studies; return their assets with the sensors that watch over them."""
    sensors = [
        *(build_source_sensor(pool) for pool in load_pools().values()),
        *(sensor for study in load_studies().values() for sensor in build_target_sensors(study)),
        record_failed_runs,
        settle_dead_runs,
        build_automation_sensor(),
    ]
    return dg.Definitions.merge(assets.build_definitions(), dg.Definitions(sensors=sensors))


defs = build_code_location()
