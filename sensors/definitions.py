"""The code location: everything Dagster is to know, and when it is to run."""

import dagster as dg

from selection_assets import definitions as assets
from selection_assets.studies import read_configuration
from sensors.run_failure import record_failed_runs, settle_dead_runs
from sensors.watch import build_source_sensor, build_target_sensors
from sensors.wrong_files import check_studies


def build_code_location() -> dg.Definitions:
    """Read the project's studies; return their assets with the sensors that watch over them."""
    found = read_configuration()
    for problem in found.wrong.values():
        dg.get_dagster_logger().warning("a file is not used, and the others are: %s", problem)
    sensors = [
        *(build_source_sensor(pool) for pool in found.pools.values()),
        *(sensor for study in found.studies.values() for sensor in build_target_sensors(study)),
        check_studies,
        record_failed_runs,
        settle_dead_runs,
        build_automation_sensor(),
    ]
    return dg.Definitions.merge(assets.build_definitions(), dg.Definitions(sensors=sensors))


def build_automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Return one named sensor over all assets, in place of Dagster's unnamed default.

    Stopped until somebody starts it: what it asks for trains models.
    """
    return dg.AutomationConditionSensorDefinition(
        name="refresh_derived_assets",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.STOPPED,
        minimum_interval_seconds=60,
        description="Refreshes what follows from an input whose data version, or from code that,"
        " has changed.",
    )


defs = build_code_location()
