"""Evaluates the automation conditions of the derived assets."""

import dagster as dg


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
