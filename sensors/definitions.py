"""The code location: everything Dagster is to know, and when it is to run."""

import dagster as dg

from selection_assets import definitions as assets
from selection_assets.studies import load_pools, load_studies
from sensors.run_failure import record_failed_runs, settle_dead_runs
from sensors.watch import build_source_sensor, build_target_sensors


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
