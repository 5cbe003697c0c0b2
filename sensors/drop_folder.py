"""Asks for a pool's new and changed sources to be read."""

import dagster as dg

from resources.ledger.database import LedgerBusy
from resources.project import resolve
from resources.workspace import Workspace
from selection.config.pool import Pool
from selection.corpus.sources import list_sources
from selection_assets.assets.raw_corpus import build_raw_corpus
from selection_assets.stage.keys import source_partitions
from sensors.changes import changes_since, read_cursor, remember, report_gone, run_key
from sensors.up_to_date import seen_by_ledger


def build_source_sensor(pool: Pool) -> dg.SensorDefinition:
    """Watch the sources of one pool: dropped files, named files, installed packages.

    A tick looks at names, sizes and times, and opens nothing. Every new or changed source gets
    one run of `raw_corpus`; what follows from its rows is the automation sensor's business.
    Stopped until somebody starts it, because with automation on a dropped file ends in training.
    A partition is never removed: models have been trained on its rows.
    """
    stage = build_raw_corpus(pool)
    partitions = source_partitions(pool.name)
    partitions_name = partitions.name
    assert partitions_name is not None

    @dg.sensor(
        name=f"watch_{pool.name}_sources",
        target=dg.AssetSelection.assets(stage.key),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=f"Reads new and changed sources of the pool {pool.name}.",
    )
    def watch_sources(
        context: dg.SensorEvaluationContext, workspace: Workspace
    ) -> dg.SensorResult | dg.SkipReason:
        try:
            sources = list_sources(pool, resolve)
            now = {name: source.fingerprint() for name, source in sources.items()}
            seen = read_cursor(context.cursor)
            if seen is None:
                itself = {name: name for name in now}
                seen = seen_by_ledger(stage, now, itself, workspace.ledger)
        except (ValueError, OSError, LedgerBusy) as error:
            # A missing folder, two files of one name, a file that vanished meanwhile: said here
            # until somebody puts it right, and the cursor stays.
            return dg.SkipReason(f"pool {pool.name}: {error}")
        changes = changes_since(seen, now)
        gone = report_gone(changes.gone)
        if gone:
            context.log.warning(gone)
        wanted = changes.to_read
        known = set(context.instance.get_dynamic_partitions(partitions_name))
        unknown = [name for name in wanted if name not in known]
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(run_key=run_key(name, now[name], seen), partition_key=name)
                for name in wanted
            ],
            dynamic_partitions_requests=(
                [partitions.build_add_request(unknown)] if unknown else None
            ),
            skip_reason=(
                None if wanted else "; ".join(filter(None, (f"{len(now)} sources unchanged", gone)))
            ),
            cursor=remember(seen, now, asked=bool(wanted)).to_cursor(),
        )

    return watch_sources
