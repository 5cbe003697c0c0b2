"""Run the partitions that a run asks for, one after another, and publish what each has made."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
from tqdm import tqdm

from resources.orphaned import stop_with_the_run
from resources.store.artifacts import UNPARTITIONED, Artifact
from selection_assets.stage.asked import FORCE_TAG, asked_partitions, passed_over
from selection_assets.stage.checks import outcomes
from selection_assets.stage.events import TOLD, materialization, newest_events, still_there
from selection_assets.stage.failures import (
    Kind,
    NotMade,
    failure,
    why_not_made,
    why_not_passed,
)
from selection_assets.stage.inputs import asset_key, read_by
from selection_assets.stage.run_step import Computed, Made, run_step
from selection_assets.stage.stage import Stage
from selection_assets.stage.step import Step
from selection_assets.stage.waiting import Waiting

Loaded = Mapping[str, Mapping[str, Artifact | None]]
Event = dg.AssetMaterialization | dg.AssetCheckResult | dg.Output


def run_partitions(
    stage: Stage, context: dg.AssetExecutionContext, loaded: Loaded
) -> Iterator[Event]:
    """Make what a run asks for, and tell Dagster of each partition as soon as it is published.

    One that a cap refuses, and a file of no use, stop no others. What fails otherwise ends the
    run. A version that does not pass its checks is in the ledger, and no event says that it was
    made: nothing is to follow from it.

    Parameters
    ----------
    loaded : input name to (partition to what was loaded of it, None for what is not there).

    Raises
    ------
    dagster.Failure
        At the end, saying which partitions were not made, and why.
    """
    keys = [None] if stage.partitions is None else asked_partitions(context)
    in_common: dict = {}
    ledger = context.resources.workspace.ledger
    published = {} if FORCE_TAG in context.run.tags else ledger.published(stage.name)
    newest = newest_events(stage, context.instance)
    if stage.costly:
        context.log.info("device: %s", context.resources.device.describe())
        stop_with_the_run()

    def make(partition: str) -> Made | Computed:
        inputs = _inputs(stage, partition, loaded)
        versions = {
            name: {key: artifact.version for key, artifact in found.items()}
            for name, found in inputs.items()
        }
        outside = stage.outside(partition)
        identity = stage.identity(partition, versions, outside)
        step = Step(context, identity, inputs, n_partitions=len(keys), in_common=in_common)
        return run_step(stage, step, outside, published.get(identity))

    checked: dict[str, Sequence[dg.AssetCheckResult]] = {}
    not_made: dict[str, NotMade] = {}
    causes: list[Exception] = []

    def fail(partition: str, error: Exception) -> None:
        why = why_not_made(stage, error)
        context.log.error("%s [%s]: %s", stage.name, partition, why.reason, exc_info=error)
        not_made[partition] = why
        causes.append(error)

    def tell(done: Mapping[str, Made | Exception]) -> Iterator[dg.AssetMaterialization]:
        for partition, made in done.items():
            if isinstance(made, Exception):
                fail(partition, made)
                continue
            if made.checks:
                checked[partition] = made.checks
            if made.failed_checks:
                not_made[partition] = why_not_passed(stage, made)
            else:
                yield materialization(
                    stage, made, dagster_keys[partition], newest, context.instance
                )

    dagster_keys = {UNPARTITIONED if key is None else str(key): key for key in keys}
    waiting = Waiting(ledger, alone=stage.costly)
    shown = tqdm(
        dagster_keys, desc=stage.name, unit=" partitions", leave=False, disable=len(keys) < 2
    )
    try:
        for partition in shown:
            try:
                waiting.add(partition, make(partition))
            except Exception as error:  # noqa: BLE001 (logged there, and raised at the end)
                fail(partition, error)
            yield from tell(waiting.publish_if_due())
            if any(one.kind == Kind.BROKEN for one in not_made.values()):
                break
    except BaseException:
        list(tell(waiting.publish()))  # what is finished is kept, and found by the next run
        raise
    yield from tell(waiting.publish())
    if checked or not not_made:
        yield from outcomes(stage, checked, context.instance)
    if not_made:
        beside = [] if stage.partitions is None else passed_over(context)
        yield from still_there(stage, beside, context.instance)
        raise failure(stage, not_made, len(keys)) from (causes[-1] if causes else None)
    yield TOLD


def _inputs(stage: Stage, partition: str, loaded: Loaded) -> dict[str, dict[str, Artifact]]:
    """What a partition reads of what was loaded.

    Raises
    ------
    dagster.Failure
        When something of it has never been materialized, naming it.
    """
    inputs: dict[str, dict[str, Artifact]] = {}
    for name, of_all in loaded.items():
        found = read_by(partition, stage.ins[name], of_all)
        inputs[name] = {key: one for key, one in found.items() if one is not None}
        missing = [key for key, one in found.items() if one is None]
        if missing:
            raise dg.Failure(
                f"{asset_key(stage.ins[name]).to_user_string()} has no current version for"
                f" {', '.join(missing[:5])}; materialize it first",
                allow_retries=False,
            )
    return inputs
