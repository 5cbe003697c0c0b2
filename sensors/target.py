"""Asks for a study's target to be read again when its file or package has changed."""

import dagster as dg

from resources.ledger.database import LedgerBusy
from resources.store.artifacts import UNPARTITIONED
from resources.workspace import Workspace
from selection.config.study import Study
from selection_assets.assets.target_examples import build_target_examples
from sensors.changes import changes_since, read_cursor, remember, run_key
from sensors.up_to_date import seen_by_ledger


def build_target_sensor(study: Study) -> dg.SensorDefinition:
    """Watch the target of one study.

    Stopped until somebody starts it, because with automation on a new target means a new
    selection and new training.
    """
    stage = build_target_examples(study)

    @dg.sensor(
        name=f"watch_{study.name}_target",
        target=dg.AssetSelection.assets(stage.asset.key),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=f"Reads the target of the study {study.name} when it has changed.",
    )
    def watch_target(
        context: dg.SensorEvaluationContext, workspace: Workspace
    ) -> dg.SensorResult | dg.SkipReason:
        try:
            now = stage.outside(UNPARTITIONED)
            seen = read_cursor(context.cursor)
            if seen is None:
                whole = dict.fromkeys(now, UNPARTITIONED)
                seen = seen_by_ledger(stage, now, whole, workspace.ledger)
        except FileNotFoundError as error:
            return dg.SkipReason(
                f"study {study.name}: {error.filename} is not there; bring the data or correct"
                " `target.path`"
            )
        except (ValueError, OSError, LedgerBusy) as error:
            return dg.SkipReason(f"study {study.name}: {error}")
        # A target is one file or package; another name means another configuration, hence new.
        wanted = changes_since(seen, now).to_read
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=run_key(name, now[name], seen)) for name in wanted],
            skip_reason=None if wanted else f"unchanged: {', '.join(now)}",
            cursor=remember(seen, now, asked=bool(wanted)).to_cursor(),
        )

    return watch_target
