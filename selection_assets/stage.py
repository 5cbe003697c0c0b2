"""What every asset here has in common, so that an asset file holds only its recipe.

A stage is an asset function that receives its inputs as `Artifact`s and returns a `Draft`: files
to publish, and what they cost. Around it this module finds out whether the same work is already
done, measures it, stages the files, runs the blocking checks and hands everything to the IO
manager, which publishes and records it.
"""

import inspect
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import dagster as dg

from resources.artifacts import UNPARTITIONED, Artifact, Content
from resources.io_manager import Pending
from resources.ledger import Cost, Identity, hash_inputs
from selection_assets.automation import on_new_data_or_code
from selection_assets.code_version import Parameters, code_version
from selection_assets.metadata import metadata

GPU_POOL = "gpu"
RESOURCES = {"workspace", "device"}
FORCE_TAG = "selection/force"
"""A run with this tag repeats work that is already done."""


@dataclass(frozen=True)
class Check:
    """Outcome of one check of a stage; a failure blocks what comes after unless it only warns."""

    name: str
    passed: bool
    facts: Mapping[str, Any] = field(default_factory=dict)
    only_warns: bool = False

    def result(self) -> dg.AssetCheckResult:
        """Return it as Dagster takes it."""
        severity = dg.AssetCheckSeverity.WARN if self.only_warns else dg.AssetCheckSeverity.ERROR
        return dg.AssetCheckResult(
            passed=bool(self.passed),
            check_name=self.name,
            metadata=metadata(self.facts),
            severity=severity,
        )


@dataclass(frozen=True)
class Draft:
    """What an asset function returns.

    Attributes
    ----------
    files : name to content, for `ArtifactStore.stage`.
    rows : how many rows or examples it holds.
    flops, accountant : what was computed, and who counted.
    facts : shown in the UI; never part of the content.
    checks : one outcome for each check that the stage declares.
    """

    files: Mapping[str, Content]
    rows: int
    flops: float = 0.0
    accountant: str = "none"
    facts: Mapping[str, Any] = field(default_factory=dict)
    checks: Sequence[Check] = ()


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
    """

    asset: dg.AssetsDefinition
    campaign: str
    code_version: str
    ins: Mapping[str, dg.AssetIn]
    reads: Callable[[str], Sequence[str]]
    outside: Callable[[str], Mapping[str, str]]

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
    also_code: Sequence[str] = (),
    ins: Mapping[str, dg.AssetIn] | None = None,
    parameters: Parameters | None = None,
    partitions: dg.PartitionsDefinition | None = None,
    costly: bool = False,
    checks: Mapping[str, str] | None = None,
    reads: Callable[[str], Sequence[str]] | None = None,
    outside: Callable[[str], Mapping[str, str]] | None = None,
    kinds: set[str] | None = None,
    some_inputs_may_lack: bool = False,
) -> Callable[[Callable[..., Draft]], Stage]:
    """Make a stage of an asset function.

    Parameters
    ----------
    key : of the asset.
    campaign : the study or pool that pays; also the group in the UI unless `group` is given.
    also_code : modules that the function reaches other than by importing them.
    ins : input name to upstream asset; annotate the argument `Artifact` or `dict[str, Artifact]`.
    parameters : everything of the configuration that the result depends on.
    costly : holds the device; runs in the `gpu` pool and opens its ledger entry before it starts.
    checks : name and description of the checks its drafts report.
    reads : for a partition, the inputs it reads; all of them when not given.
    outside : for a partition, versions of what it reads that is no asset.

    The function may also take `context`, `workspace`, `device`, `loaded` (all inputs as one dict,
    where their names depend on the study), and `work`: a folder that survives when the step is
    killed and is found again by the next attempt at the same work.
    """
    inputs = dict(ins or {})
    declared = dict(checks or {})

    def decorate(function: Callable[..., Draft]) -> Stage:
        version = code_version([function.__module__, *also_code], parameters or {})
        signature = inspect.signature(function)
        visible = _visible_parameters(signature, inputs)

        @wraps(function)
        def compute(context: dg.AssetExecutionContext, **arguments: Any) -> dg.MaterializeResult:
            return _materialize(made, declared, function, context, arguments)

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
                on_new_data_or_code(some_inputs_may_lack=some_inputs_may_lack) if inputs else None
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
            reads or (lambda _: list(inputs)),
            outside or (lambda _: {}),
        )
        return made

    return decorate


def emptied(folder: Path) -> Path:
    """Return an empty folder: what a killed attempt left half-written there is removed."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder


def _materialize(
    made: Stage,
    declared: Mapping[str, str],
    function: Callable[..., Draft],
    context: dg.AssetExecutionContext,
    arguments: dict[str, Any],
) -> dg.MaterializeResult:
    """Run one partition of a stage, unless the same work is already published."""
    workspace, device = context.resources.workspace, context.resources.device
    partition = str(context.partition_key) if context.has_partition_key else UNPARTITIONED
    artifacts = {name: _by_partition(arguments[name]) for name in made.ins}
    versions = {
        name: {key: artifact.version for key, artifact in found.items()}
        for name, found in artifacts.items()
    }
    identity = made.identity(partition, versions)
    published = workspace.ledger.find(identity)
    if published is not None and FORCE_TAG not in context.run.tags:
        return _reuse(context, made, declared, published)

    costly = made.asset.op.pool == GPU_POOL
    device_name = device.name if costly else "none"
    spend = None
    if costly:
        spend = workspace.ledger.open_spend(
            made.campaign, identity.asset, partition, context.run.run_id, device_name
        )
        context.log.info("device: %s", device.describe())
    wanted = inspect.signature(function).parameters
    if "loaded" in wanted:
        arguments["loaded"] = {name: arguments.pop(name) for name in made.ins}
    given = {"context": context, "workspace": workspace, "device": device}
    arguments |= {name: value for name, value in given.items() if name in wanted}
    work = None
    if "work" in wanted:
        work = workspace.store.work_folder("\0".join(vars(identity).values()))
        arguments["work"] = work
    started_at, clock = datetime.now(UTC), time.monotonic()
    try:
        draft = function(**arguments)
    except BaseException:
        # A kill leaves the entry open, for the sensor to close; anything milder closes it here.
        workspace.ledger.record_loss(spend=spend)
        raise
    if costly:
        device.synchronise()
    seconds = time.monotonic() - clock

    assert {check.name for check in draft.checks} == set(declared), "checks differ from declared"
    staged = workspace.store.stage(draft.files)
    if work is not None:
        shutil.rmtree(work)
    cost = Cost(draft.flops, draft.accountant, device_name, seconds if costly else 0.0, seconds)
    used = {a.materialization for name in made.reads(partition) for a in artifacts[name].values()}
    pending = Pending(
        staged,
        identity,
        made.campaign,
        sorted(used),
        draft.rows,
        started_at,
        cost,
        spend,
        make_current=all(check.passed or check.only_warns for check in draft.checks),
    )
    facts = {
        "dagster/row_count": draft.rows,
        "flops": draft.flops,
        "accountant": draft.accountant,
        "device": device_name,
        "device_seconds": cost.device_seconds,
        "wall_seconds": seconds,
        "bytes": staged.bytes,
        "dagster/uri": str(workspace.store.folder(identity.asset, partition, staged.version)),
    }
    return dg.MaterializeResult(
        value=pending,
        metadata=metadata(facts | dict(draft.facts)),
        check_results=[check.result() for check in draft.checks],
        data_version=dg.DataVersion(staged.version),
    )


def _reuse(
    context: dg.AssetExecutionContext,
    made: Stage,
    declared: Mapping[str, str],
    published: Artifact,
) -> dg.MaterializeResult:
    """Answer with the version that the same inputs and code gave before; nothing is spent."""
    context.log.info("unchanged inputs and code: version %s is reused", published.version)
    key = str(context.partition_key) if context.has_partition_key else None
    event = context.instance.get_latest_data_version_record(made.asset.key, partition_key=key)
    before = event.asset_materialization if event is not None else None
    return dg.MaterializeResult(
        value=published,
        metadata={**(before.metadata if before is not None else {}), "reused": True},
        # Only versions whose blocking checks passed become current and can be found again.
        check_results=[dg.AssetCheckResult(passed=True, check_name=name) for name in declared],
        data_version=dg.DataVersion(published.version),
    )


def _visible_parameters(
    signature: inspect.Signature, inputs: Mapping[str, dg.AssetIn]
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
            visible.append(parameter.replace(kind=kind))
    return visible


def _by_partition(loaded: Artifact | dict[str, Artifact]) -> dict[str, Artifact]:
    return loaded if isinstance(loaded, dict) else {loaded.partition: loaded}
