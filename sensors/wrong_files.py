"""Shows in the UI which files of studies and pools cannot be used; they stop no others."""

import dagster as dg

from selection_assets.studies import read_configuration


@dg.sensor(
    name="check_studies",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Says which files in studies/ and studies/pools/ cannot be used, and why.",
)
def check_studies(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    """Read the files as they are now; a mended one is in use once the code location is reloaded."""
    found = read_configuration()
    if not found.wrong:
        context.update_cursor("")
        return dg.SkipReason(f"in use: {len(found.studies)} studies, {len(found.pools)} pools")
    problems = "\n".join(found.wrong.values())
    if problems != context.cursor:  # a warning once, not at every tick
        context.log.warning(problems)
        context.update_cursor(problems)
    return dg.SkipReason(f"files that cannot be used: {len(found.wrong)}\n{problems}")
