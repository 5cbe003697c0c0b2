"""Asks for what a pool or a study reads from outside to be read again when it has changed."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import dagster as dg

from resources.ledger.database import LedgerBusy
from resources.ledger.ledger import Ledger
from resources.ledger.loss import LedgerLost
from resources.store.artifacts import UNPARTITIONED
from resources.workspace import Workspace
from selection.basics.brevity import some_of
from selection.config.files import ConfigurationError
from selection.config.pool import Pool
from selection.config.study import Study
from selection.corpus.not_read import NotRead, not_read_text
from selection_assets.assets.raw_corpus import build_raw_corpus
from selection_assets.assets.target_examples import build_contrast_examples, build_target_examples
from selection_assets.shared.pool_sources import find_pool_sources
from selection_assets.stage.asked import MOST_PARTITIONS, range_tags
from selection_assets.stage.keys import source_partitions
from selection_assets.stage.stage import Stage
from sensors.changes import Seen, changes_since, read_cursor, remember, run_key

LISTED = 50
"""Lines of what is not read, in a tick's answer."""


@dataclass(frozen=True)
class Looked:
    """What a tick sees.

    Attributes
    ----------
    now : name to fingerprint of everything that can be read.
    not_read : what cannot.
    unusable : names among `now` that have been read as they are, and failed their checks.
    with_rows : names of which something is current.
    """

    now: Mapping[str, str]
    not_read: Sequence[NotRead] = ()
    unusable: AbstractSet[str] = frozenset()
    with_rows: AbstractSet[str] = frozenset()

    @property
    def lies_there(self) -> set[str]:
        """Names of what cannot be read, and is not gone."""
        return {one.name for one in self.not_read if one.name is not None}


def build_source_sensor(pool: Pool) -> dg.SensorDefinition:
    """Watch the sources of one pool: dropped files, named files, installed packages.

    A tick looks at names, sizes and times, and opens nothing. One run of `raw_corpus` reads all
    that is new or has changed; what follows from the rows is the automation sensor's business.
    A partition with rows is never removed: models have been trained on them. One that never had
    any is, when it cannot be read or fails its checks: the rest of the pool would wait for it.
    """
    raw_corpus = build_raw_corpus(pool, [])  # it runs elsewhere, and is paid there

    def look(ledger: Ledger) -> Looked:
        found = find_pool_sources(pool, raw_corpus, ledger)
        return Looked(
            found.listing.fingerprints, found.not_read, found.unusable.keys(), found.current
        )

    return _build_sensor(
        f"watch_{pool.name}_sources",
        f"pool {pool.name}",
        f"Reads new and changed sources of the pool {pool.name}; lists what it cannot read.",
        raw_corpus,
        look,
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
            _look_outside(stage),
        )
        for what, stage in watched.items()
    ]


def _look_outside(stage: Stage) -> Callable[[Ledger], Looked]:
    return lambda _: Looked(stage.outside(UNPARTITIONED))


def _build_sensor(
    sensor_name: str,
    whose: str,
    description: str,
    stage: Stage,
    look: Callable[[Ledger], Looked],
    sources: dg.DynamicPartitionsDefinition | None = None,
) -> dg.SensorDefinition:
    """Watch what one asset is read from.

    Stopped until somebody starts it, because with automation on a new source or target means a new
    selection and new training.

    Parameters
    ----------
    whose : the pool or study, for messages.
    look : at what is read, and at what the ledger knows of it.
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
            looked = look(workspace.ledger)
            seen = read_cursor(context.cursor)
            if seen is None:
                seen = _seen_by_ledger(stage, looked, workspace.ledger)
        except ConfigurationError as error:
            return dg.SkipReason(str(error))
        except (ValueError, OSError, LedgerBusy, LedgerLost) as error:
            # Said here until somebody puts it right, and the cursor stays.
            return dg.SkipReason(f"{whose}: {error}")
        now = looked.now
        wanted, gone = changes_since(seen, now)
        gone = [name for name in gone if name not in looked.lies_there]
        lines = [str(one) for one in looked.not_read]
        for line in sorted(set(lines) - set(seen.not_read)):
            context.log.warning("not read: %s", line)
        changes, unchanged = None, f"unchanged: {', '.join(some_of(now))}"
        runs = [dg.RunRequest(run_key=run_key(name, now[name], seen)) for name in wanted]
        if sources is not None:
            unchanged = f"{len(now.keys() - looked.unusable)} sources unchanged"
            if gone:
                names = ", ".join(some_of(gone))
                said = f"no longer there, its rows stay as they were last read: {names}"
                context.log.warning(said)
                unchanged += f"; {said}"
            known = context.instance.get_dynamic_partitions(str(sources.name))
            changes = _partition_requests(sources, known, wanted, looked)
            runs = _runs_of_sources(wanted, known, now, seen)
        listed = not_read_text(looked.not_read, at_most=LISTED)
        return dg.SensorResult(
            run_requests=runs,
            dynamic_partitions_requests=changes,
            skip_reason=None if wanted else "\n".join(part for part in (unchanged, listed) if part),
            cursor=remember(seen, now, asked=bool(wanted), not_read=lines).to_cursor(),
        )

    return watch


def _runs_of_sources(
    wanted: Sequence[str], known: Sequence[str], now: Mapping[str, str], seen: Seen
) -> list[dg.RunRequest]:
    """As few runs as read all that is wanted.

    Parameters
    ----------
    known : partitions before the tick; those of new sources come after them.
    """
    there = [*known, *(name for name in wanted if name not in known)]
    runs = []
    for first in range(0, len(wanted), MOST_PARTITIONS):
        names = wanted[first : first + MOST_PARTITIONS]
        if len(names) == 1:
            key = run_key(names[0], now[names[0]], seen)
            runs.append(dg.RunRequest(run_key=key, partition_key=names[0]))
        else:
            said = " ".join(f"{name}:{now[name]}" for name in names)
            key = run_key(f"{names[0]} and {len(names) - 1} more", said, seen)
            runs.append(dg.RunRequest(run_key=key, tags=range_tags(names, there)))
    return runs


def _partition_requests(
    sources: dg.DynamicPartitionsDefinition,
    known: Sequence[str],
    wanted: Sequence[str],
    looked: Looked,
) -> list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] | None:
    """Partitions to add, and those to remove because nothing will ever be read for them as is."""
    unknown = [name for name in wanted if name not in known]
    useless = [
        name
        for name in known
        if name not in looked.with_rows
        and name not in wanted
        and (name not in looked.now or name in looked.unusable)
    ]
    added = [sources.build_add_request(unknown)] if unknown else []
    removed = [sources.build_delete_request(useless)] if useless else []
    return [*added, *removed] or None


def _seen_by_ledger(stage: Stage, looked: Looked, ledger: Ledger) -> Seen:
    """What a first tick takes as seen: all that the ledger has from the files as they are now."""
    current, now = ledger.current_identities(), looked.now
    partitions = {name: UNPARTITIONED if stage.partitions is None else name for name in now}
    return Seen(
        {
            name: now[name]
            for name, partition in partitions.items()
            if name in looked.unusable
            or current.get((stage.name, partition))
            == stage.identity(partition, {}, {name: now[name]})
        }
    )
