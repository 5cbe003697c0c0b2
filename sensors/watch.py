"""Asks for what a pool or a study reads from outside to be read again when it has changed."""

from collections.abc import Callable, Mapping
from functools import partial

import dagster as dg

from resources.ledger.database import LedgerBusy
from resources.ledger.ledger import Ledger
from resources.ledger.loss import LedgerLost
from resources.project import resolve
from resources.store.artifacts import UNPARTITIONED
from resources.workspace import Workspace
from selection.config.files import ConfigurationError
from selection.config.pool import Pool
from selection.config.study import Study
from selection.corpus.sources import list_sources
from selection_assets.assets.raw_corpus import build_raw_corpus
from selection_assets.assets.target_examples import build_contrast_examples, build_target_examples
from selection_assets.stage.keys import source_partitions
from selection_assets.stage.stage import Stage
from sensors.changes import Seen, changes_since, read_cursor, remember, run_key


def build_source_sensor(pool: Pool) -> dg.SensorDefinition:
    """Watch the sources of one pool: dropped files, named files, installed packages.

    A tick looks at names, sizes and times, and opens nothing. Every new or changed source gets
    one run of `raw_corpus`; what follows from its rows is the automation sensor's business.
    A partition is never removed: models have been trained on its rows.
    """
    return _build_sensor(
        f"watch_{pool.name}_sources",
        f"pool {pool.name}",
        f"Reads new and changed sources of the pool {pool.name}.",
        build_raw_corpus(pool),
        lambda: {name: s.fingerprint() for name, s in list_sources(pool, resolve).items()},
        source_partitions(pool.name),
    )


def build_target_sensors(study: Study) -> list[dg.SensorDefinition]:
    """Watch the target of one study and, where it has one, its contrast."""
    watched = {"target": build_target_examples(study)}
    if study.contrast is not None:
        watched["contrast"] = build_contrast_examples(study)
    return [
        _build_sensor(
            f"watch_{study.name}_{what}",
            f"study {study.name}",
            f"Reads the {what} of the study {study.name} when it has changed.",
            stage,
            partial(stage.outside, UNPARTITIONED),
        )
        for what, stage in watched.items()
    ]


def _build_sensor(
    sensor_name: str,
    whose: str,
    description: str,
    stage: Stage,
    look: Callable[[], Mapping[str, str]],
    sources: dg.DynamicPartitionsDefinition | None = None,
) -> dg.SensorDefinition:
    """Watch what one asset is read from.

    Stopped until somebody starts it, because with automation on a new source or target means a new
    selection and new training.

    Parameters
    ----------
    whose : the pool or study, for messages.
    look : gives the fingerprint of each thing that is read, by name.
    sources : partitions of the asset, one for each name; None where there is one name at a time.
    """

    @dg.sensor(
        name=sensor_name,
        target=dg.AssetSelection.assets(stage.key),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=description,
    )
    def watch(
        context: dg.SensorEvaluationContext, workspace: Workspace
    ) -> dg.SensorResult | dg.SkipReason:
        try:
            now = look()
            seen = read_cursor(context.cursor)
            if seen is None:
                seen = _seen_by_ledger(stage, now, workspace.ledger)
        except ConfigurationError as error:
            return dg.SkipReason(str(error))
        except (ValueError, OSError, LedgerBusy, LedgerLost) as error:
            # A missing folder, two files of one name, a file that vanished meanwhile: said here
            # until somebody puts it right, and the cursor stays.
            return dg.SkipReason(f"{whose}: {error}")
        wanted, gone = changes_since(seen, now)
        added, unchanged = None, f"unchanged: {', '.join(now)}"
        if sources is not None:
            unchanged = f"{len(now)} sources unchanged"
            if gone:
                said = f"no longer there, its rows stay as they were last read: {', '.join(gone)}"
                context.log.warning(said)
                unchanged += f"; {said}"
            known = set(context.instance.get_dynamic_partitions(str(sources.name)))
            unknown = [name for name in wanted if name not in known]
            added = [sources.build_add_request(unknown)] if unknown else None
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=run_key(name, now[name], seen), partition_key=name if sources else None
                )
                for name in wanted
            ],
            dynamic_partitions_requests=added,
            skip_reason=None if wanted else unchanged,
            cursor=remember(seen, now, asked=bool(wanted)).to_cursor(),
        )

    return watch


def _seen_by_ledger(stage: Stage, now: Mapping[str, str], ledger: Ledger) -> Seen:
    """What a first tick takes as seen: all that the ledger has from the files as they are now."""
    current = ledger.current_identities()
    partitions = {name: UNPARTITIONED if stage.partitions is None else name for name in now}
    return Seen(
        {
            name: now[name]
            for name, partition in partitions.items()
            if current.get((stage.name, partition)) == stage.identity(partition, {})
        }
    )
