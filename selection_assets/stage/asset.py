"""A stage as the asset that Dagster runs, and when that asks to be refreshed."""

import inspect

import dagster as dg

from resources.store.artifacts import Artifact
from selection_assets.stage.asked import MOST_PARTITIONS
from selection_assets.stage.inputs import asset_key
from selection_assets.stage.run_partitions import run_partitions
from selection_assets.stage.stage import Stage

GPU_POOL = "gpu"
RESOURCES = {"workspace", "device"}


def build_asset(stage: Stage) -> dg.AssetsDefinition:
    """Return the asset of a stage; `run_partitions` makes its partitions.

    A run makes many sources, and one arm: arms train for long.
    """

    def compute(context: dg.AssetExecutionContext, **loaded: dict[str, Artifact | None]):
        yield from run_partitions(stage, context, loaded)

    asset = dg.asset(
        compute,
        key=stage.key,
        ins=stage.ins,
        partitions_def=stage.partitions,
        group_name=stage.campaign,
        code_version=stage.code_version,
        io_manager_key="artifacts",
        config_schema={},  # a run's configuration can set nothing of a step
        required_resource_keys=RESOURCES,
        check_specs=[
            dg.AssetCheckSpec(name, asset=stage.key, description=text, blocking=True)
            for name, text in stage.checks.items()
        ],
        automation_condition=_on_new_data_or_code(stage) if stage.ins else None,
        pool=GPU_POOL if stage.costly else None,
        kinds=set(stage.kinds),
        description=inspect.getdoc(stage.function),
    )
    assert isinstance(asset, dg.AssetsDefinition)
    if stage.over_sources:
        return asset.with_attributes(backfill_policy=dg.BackfillPolicy.multi_run(MOST_PARTITIONS))
    return asset


def _on_new_data_or_code(stage: Stage) -> dg.AutomationCondition:
    """Ask once when an input's data version, or the asset's own code version, has changed.

    `AutomationCondition.eager()` asks again for identical data; this does not. A version that
    failed a blocking check has no event, so that its readers hear nothing of it; that check has one
    outcome for all partitions, and would keep the readers of the others waiting. News of what is
    not read are none.
    """
    condition = dg.AutomationCondition
    changed = condition.any_deps_match(condition.data_version_changed())
    if stage.only_after:
        unread = [asset_key(stage.ins[name]) for name in stage.only_after]
        changed = changed.ignore(dg.AssetSelection.assets(*unread))
    news = changed | condition.code_version_changed() | condition.newly_missing()
    # `since` lets the reset win, and a request resets one tick late: news that came in between,
    # such as the next source of a pool, would be lost.
    answered = condition.newly_requested() & ~news
    asked = news.since(answered | condition.initial_evaluation())
    ready = ~condition.any_deps_in_progress() & ~condition.in_progress()
    if not stage.some_inputs_may_lack:
        ready = ready & ~condition.any_deps_missing()
    return (asked & ready).with_label("on_new_data_or_code")
