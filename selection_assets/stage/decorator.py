"""Makes an asset of a function that holds only its recipe.

The function receives a `Step` and returns a `Draft`: files to publish, and what they cost.
`run_step` runs it: it finds out whether the same work is already done, measures it, stages the
files and hands everything to the IO manager, which publishes and records.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from resources.store.artifacts import Artifact
from selection.config.study import Study
from selection_assets.stage.automation import on_new_data_or_code
from selection_assets.stage.code_version import Code, Parameters, code_version
from selection_assets.stage.draft import Draft
from selection_assets.stage.expected import Expected
from selection_assets.stage.inputs import asset_key
from selection_assets.stage.run_step import run_step
from selection_assets.stage.stage import Stage
from selection_assets.stage.step import Step

GPU_POOL = "gpu"
RESOURCES = {"workspace", "device"}


def stage(
    *,
    key: dg.AssetKey,
    campaign: str,
    group: str | None = None,
    also_code: Sequence[Code] = (),
    ins: Mapping[str, dg.AssetIn] | None = None,
    parameters: Parameters | None = None,
    partitions: dg.PartitionsDefinition | None = None,
    costly: bool = False,
    metered: bool = False,
    finds: Callable[[Step], Any] | None = None,
    expects: Callable[[Step], Expected] | None = None,
    payers: Sequence[Study] = (),
    serves: Mapping[str, frozenset[str]] | None = None,
    checks: Mapping[str, str] | None = None,
    reads: Callable[[str], Sequence[str]] | None = None,
    outside: Callable[[str], Mapping[str, str]] | None = None,
    kinds: set[str] | None = None,
    some_inputs_may_lack: bool = False,
    only_after: Sequence[str] = (),
) -> Callable[[Callable[[Step], Draft]], Stage]:
    """Make a stage of an asset function.

    Parameters
    ----------
    key : of the asset.
    campaign : the study or pool that pays; also the group in the UI unless `group` is given.
    also_code : functions and classes that the function reaches other than by naming them.
    ins : input name to upstream asset; the step has it as a mapping by partition.
    parameters : everything of the configuration that the result depends on.
    costly : holds the device; runs in the `gpu` pool, and starts only when what it may cost is
        reserved.
    metered : its function charges `step.meter` before each part of its work; one that does not is
        taken to have spent all that it reserved when it dies.
    finds : what is found out first; `expects` and the function have it as `step.found`.
    expects : what it will take; without it the newest plan of the campaign's study must foresee the
        partition.
    payers : the studies that use it; they pay in equal parts.
    serves : names of the methods, by study, that it is made for. A study of which none of them has
        an arm that can be afforded does without it.
    checks : name and description of the checks its drafts report.
    reads : for a partition, the inputs it reads; all of them when not given.
    outside : for a partition, versions of what it reads that is no asset.
    only_after : inputs that are not read, and only must be made first.
    """
    inputs = dict(ins or {})
    declared = dict(checks or {})

    def decorate(function: Callable[[Step], Draft]) -> Stage:
        version = code_version([function, *also_code], parameters or {})

        # Without a return annotation, which Dagster would take for one of a result without a value.
        def compute(context: dg.AssetExecutionContext, **loaded: dict[str, Artifact]):
            return run_step(made, context, loaded)

        asset = dg.asset(
            compute,
            key=key,
            ins=inputs,
            partitions_def=partitions,
            group_name=group or campaign,
            code_version=version,
            io_manager_key="artifacts",
            required_resource_keys=RESOURCES,
            check_specs=[
                dg.AssetCheckSpec(name, asset=key, description=text, blocking=True)
                for name, text in declared.items()
            ],
            automation_condition=(
                on_new_data_or_code(
                    some_inputs_may_lack=some_inputs_may_lack,
                    only_after=[asset_key(inputs[name]) for name in only_after],
                )
                if inputs
                else None
            ),
            pool=GPU_POOL if costly else None,
            kinds=kinds or {"python"},
            description=inspect.getdoc(function),
        )
        assert isinstance(asset, dg.AssetsDefinition)
        made = Stage(
            asset,
            function,
            campaign,
            version,
            inputs,
            reads or (lambda _: [name for name in inputs if name not in only_after]),
            outside or (lambda _: {}),
            declared,
            costly,
            metered,
            finds,
            expects,
            payers,
            serves or {},
        )
        return made

    return decorate
