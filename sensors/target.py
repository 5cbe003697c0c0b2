"""Asks for a study's target, or contrast, to be read again when its file or package has changed."""

import dagster as dg

from resources.ledger.database import LedgerBusy
from resources.store.artifacts import UNPARTITIONED
from resources.workspace import Workspace
from selection.config.files import ConfigurationError
from selection.config.study import Study
from selection_assets.assets.target_examples import build_contrast_examples, build_target_examples
from selection_assets.stage.stage import Stage
from sensors.changes import changes_since, read_cursor, remember, run_key
from sensors.up_to_date import seen_by_ledger


def build_target_sensors(study: Study) -> list[dg.SensorDefinition]:
    """Watch the target of one study and, where it has one, its contrast."""
    sensors = [_build_sensor(study, "target", build_target_examples(study))]
    if study.contrast is not None:
        sensors.append(_build_sensor(study, "contrast", build_contrast_examples(study)))
    return sensors


def _build_sensor(study: Study, what: str, stage: Stage) -> dg.SensorDefinition:
    """Watch what one asset of examples is read from.

    Stopped until somebody starts it, because with automation on a new target means a new
    selection and new training.
    """

    @dg.sensor(
        name=f"watch_{study.name}_{what}",
        target=dg.AssetSelection.assets(stage.key),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=f"Reads the {what} of the study {study.name} when it has changed.",
    )
    def watch_examples(
        context: dg.SensorEvaluationContext, workspace: Workspace
    ) -> dg.SensorResult | dg.SkipReason:
        try:
            now = stage.outside(UNPARTITIONED)
            seen = read_cursor(context.cursor)
            if seen is None:
                whole = dict.fromkeys(now, UNPARTITIONED)
                seen = seen_by_ledger(stage, now, whole, workspace.ledger)
        except ConfigurationError as error:
            return dg.SkipReason(str(error))
        except (ValueError, OSError, LedgerBusy) as error:
            return dg.SkipReason(f"study {study.name}: {error}")
        # A target is one file or package; another name means another configuration, hence new.
        wanted = changes_since(seen, now).to_read
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key=run_key(name, now[name], seen)) for name in wanted],
            skip_reason=None if wanted else f"unchanged: {', '.join(now)}",
            cursor=remember(seen, now, asked=bool(wanted)).to_cursor(),
        )

    return watch_examples
