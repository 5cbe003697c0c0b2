"""What every asset here has in common, so that an asset file holds only its recipe.

A stage is an asset function that receives its inputs as `Artifact`s and returns a `Draft`: files
to publish, and what they cost. `step` runs it: it finds out whether the same work is already done,
measures it, stages the files and hands everything to the IO manager, which publishes and records.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

import dagster as dg

from resources.ledger.ledger import Identity, hash_inputs
from resources.store.artifacts import Artifact
from selection.config.study import Study
from selection_assets.stage.automation import on_new_data_or_code
from selection_assets.stage.code_version import Code, Parameters, code_version
from selection_assets.stage.draft import Draft
from selection_assets.stage.expected import Expected
from selection_assets.stage.step import run_step

GPU_POOL = "gpu"
RESOURCES = {"workspace", "device"}


@dataclass(frozen=True)
class Stage:
    """An asset with what the command line needs to know to see whether it is up to date.

    Attributes
    ----------
    asset : for Dagster.
    campaign : the study or pool that pays for it.
    code_version : of the functions it calls and their parameters.
    ins : input name to upstream asset.
    reads : partition key to the inputs that this partition really reads.
    outside : partition key to the versions of files and packages read from outside.
    checks : name and description of the checks that its drafts report.
    costly : whether it holds the device.
    finds : what is found out first, from the same arguments as the stage's function; both that and
        `expects` are offered it as `found`.
    expects : what a partition will take, from the same arguments; None where the study's plan says
        it.
    payers : the studies that use it and pay for it in equal parts.
    serves : names of the methods, by study, that it is made for; none: it is made for all.
    """

    asset: dg.AssetsDefinition
    campaign: str
    code_version: str
    ins: Mapping[str, dg.AssetIn]
    reads: Callable[[str], Sequence[str]]
    outside: Callable[[str], Mapping[str, str]]
    checks: Mapping[str, str]
    costly: bool
    finds: Callable[..., Any] | None
    expects: Callable[..., Expected] | None
    payers: Sequence[Study]
    serves: Mapping[str, frozenset[str]]

    def identity(self, partition: str, versions: Mapping[str, Mapping[str, str]]) -> Identity:
        """What a materialization of this partition would be, given its inputs' data versions.

        Parameters
        ----------
        versions : input name to (partition to data version).
        """
        read = {
            f"{name}[{key}]": version
            for name in self.reads(partition)
            for key, version in versions[name].items()
        }
        outside = {f"outside {name}": value for name, value in self.outside(partition).items()}
        asset = self.asset.key.to_user_string()
        return Identity(asset, partition, hash_inputs(read | outside), self.code_version)


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
    finds: Callable[..., Any] | None = None,
    expects: Callable[..., Expected] | None = None,
    payers: Sequence[Study] = (),
    serves: Mapping[str, frozenset[str]] | None = None,
    checks: Mapping[str, str] | None = None,
    reads: Callable[[str], Sequence[str]] | None = None,
    outside: Callable[[str], Mapping[str, str]] | None = None,
    kinds: set[str] | None = None,
    some_inputs_may_lack: bool = False,
    only_after: Sequence[str] = (),
) -> Callable[[Callable[..., Draft]], Stage]:
    """Make a stage of an asset function.

    Parameters
    ----------
    key : of the asset.
    campaign : the study or pool that pays; also the group in the UI unless `group` is given.
    also_code : functions and classes that the function reaches other than by naming them.
    ins : input name to upstream asset; annotate the argument `Artifact` or `dict[str, Artifact]`.
    parameters : everything of the configuration that the result depends on.
    costly : holds the device; runs in the `gpu` pool, and starts only when what it may cost is
        reserved.
    finds : what is found out first, from any of the arguments that the function may have; `expects`
        and the function may ask for it as `found`.
    expects : what it will take, from any of these arguments; without it the newest plan of the
        campaign's study must foresee the partition.
    payers : the studies that use it; they pay in equal parts.
    serves : names of the methods, by study, that it is made for. A study of which none of them has
        an arm that can be afforded does without it.
    checks : name and description of the checks its drafts report.
    reads : for a partition, the inputs it reads; all of them when not given.
    outside : for a partition, versions of what it reads that is no asset.
    only_after : inputs that are not read, and only must be made first.

    The function may also take `context`, `workspace`, `device`, `loaded` (all inputs as one dict,
    where their names depend on the study), `work`: a folder that survives when the step is killed
    and is found again by the next attempt at the same work, and `meter`: what long work asks before
    each part of it.
    """
    inputs = dict(ins or {})
    declared = dict(checks or {})

    def decorate(function: Callable[..., Draft]) -> Stage:
        version = code_version([function, *also_code], parameters or {})
        signature = inspect.signature(function)
        visible = _visible_parameters(signature, inputs, only_after)

        @wraps(function)
        def compute(context: dg.AssetExecutionContext, **arguments: Any) -> dg.MaterializeResult:
            return run_step(made, function, context, arguments)

        compute.__signature__ = signature.replace(  # pyright: ignore[reportAttributeAccessIssue]
            parameters=visible, return_annotation=inspect.Signature.empty
        )
        compute.__annotations__ = {
            p.name: p.annotation for p in visible if p.annotation is not p.empty
        }
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
            campaign,
            version,
            inputs,
            reads or (lambda _: [name for name in inputs if name not in only_after]),
            outside or (lambda _: {}),
            declared,
            costly,
            finds,
            expects,
            payers,
            serves or {},
        )
        return made

    return decorate


def asset_key(asset_in: dg.AssetIn) -> dg.AssetKey:
    """Key of the asset that an input names."""
    assert isinstance(asset_in.key, dg.AssetKey)
    return asset_in.key


def _visible_parameters(
    signature: inspect.Signature, inputs: Mapping[str, dg.AssetIn], only_after: Sequence[str]
) -> list[inspect.Parameter]:
    """Return the parameters that Dagster is to see; it always passes `context`."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    visible = [inspect.Parameter("context", kind)]
    for name, parameter in signature.parameters.items():
        if name == "loaded":
            for wanted, asset_in in inputs.items():
                whole = isinstance(asset_in.partition_mapping, dg.AllPartitionMapping)
                annotation = dict[str, Artifact] if whole else Artifact
                visible.append(inspect.Parameter(wanted, kind, annotation=annotation))
        elif name in inputs:
            visible.append(parameter.replace(kind=kind, default=inspect.Parameter.empty))
    shown = {parameter.name for parameter in visible}
    unread = [name for name in only_after if name not in shown]
    return visible + [inspect.Parameter(name, kind, annotation=Artifact) for name in unread]
