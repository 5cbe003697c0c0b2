"""What a stage is: an asset, and all that running and refreshing it depend on."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Concatenate, ParamSpec

import dagster as dg

from resources.ledger.ledger import hash_inputs
from resources.ledger.pending import Identity
from selection.config.study import Study
from selection_assets.stage.code_version import Code, Parameters, code_version
from selection_assets.stage.step import Draft, Expected, Step

StageFunction = Callable[[Step], Draft]
Outside = Callable[[str], Mapping[str, str]]
P = ParamSpec("P")


def _nothing(partition: str) -> Mapping[str, str]:
    """What a stage without files of its own reads from outside."""
    return {}


@dataclass(frozen=True, kw_only=True)
class Stage:
    """An asset made by a function that holds only its recipe.

    `@stage(key=..., campaign=...)` makes one of the function that it decorates, and `build_asset`
    what Dagster is to know of it.

    Attributes
    ----------
    function : makes a partition.
    key : of the asset.
    campaign : the study or pool that pays; also the group in the UI.
    also_code : functions and classes that the function reaches other than by naming them.
    ins : input name to upstream asset; the step has it as a mapping by partition.
    parameters : everything of the configuration that the result depends on.
    costly : holds the device; runs in the `gpu` pool, and starts only when what it may cost is
        reserved.
    metered : its function charges `step.meter` before each part of its work; one that does not is
        taken to have spent all that it reserved when it dies.
    trains : its function trains the models of an arm, on all devices that the project gives it.
    finds : what is found out first; `expects` and the function have it as `step.found`.
    expects : what it will take; without it the newest plan of the campaign's study must foresee the
        partition.
    payers : the studies that use it; they pay in equal parts.
    serves : names of the methods, by study, that it is made for; none: it is made for all. A study
        of which none of them has an arm that can run does without it.
    checks : name and description of the checks its drafts report.
    reads : for a partition, the inputs that it really reads; all of them when not given.
    outside : for a partition, versions of the files and packages that it reads from outside.
    some_inputs_may_lack : it reads whichever arms were affordable.
    only_after : inputs that are not read, and only must be made first.
    """

    function: StageFunction = field(kw_only=False)
    key: dg.AssetKey
    campaign: str
    also_code: Sequence[Code] = ()
    ins: Mapping[str, dg.AssetIn] = field(default_factory=dict)
    parameters: Parameters = field(default_factory=dict)
    partitions: dg.PartitionsDefinition | None = None
    costly: bool = False
    metered: bool = False
    trains: bool = False
    finds: Callable[[Step], Any] | None = None
    expects: Callable[[Step], Expected] | None = None
    payers: Sequence[Study] = ()
    serves: Mapping[str, frozenset[str]] = field(default_factory=dict)
    checks: Mapping[str, str] = field(default_factory=dict)
    reads: Callable[[str], Sequence[str]] | None = None
    outside: Outside = _nothing
    kinds: Collection[str] = ("python",)
    some_inputs_may_lack: bool = False
    only_after: Sequence[str] = ()

    @property
    def name(self) -> str:
        """Of the asset, as the ledger has it: `prefix/name`."""
        return self.key.to_user_string()

    @cached_property
    def code_version(self) -> str:
        """Of the functions that it calls, and their parameters."""
        return code_version([self.function, *self.also_code], self.parameters)

    @property
    def over_arms(self) -> bool:
        """Whether its partitions are the study's arms."""
        return isinstance(self.partitions, dg.MultiPartitionsDefinition)

    @property
    def over_sources(self) -> bool:
        """Whether its partitions are sources, of which a run makes many."""
        return isinstance(self.partitions, dg.DynamicPartitionsDefinition)

    @property
    def reads_outside(self) -> bool:
        """Whether it reads files or packages, which may be of no use."""
        return self.outside is not _nothing

    def inputs_read(self, partition: str) -> Sequence[str]:
        """Names of the inputs that a partition really reads."""
        if self.reads is not None:
            return self.reads(partition)
        return [name for name in self.ins if name not in self.only_after]

    def identity(
        self,
        partition: str,
        versions: Mapping[str, Mapping[str, str]],
        outside: Mapping[str, str] | None = None,
    ) -> Identity:
        """What a materialization of this partition would be, given its inputs' data versions.

        Parameters
        ----------
        versions : input name to (partition to data version).
        outside : what `outside` has just given for it; asked again when None.
        """
        read = {
            f"{name}[{key}]": version
            for name in self.inputs_read(partition)
            for key, version in versions[name].items()
        }
        found = self.outside(partition) if outside is None else outside
        beyond = {f"outside {name}": value for name, value in found.items()}
        return Identity(self.name, partition, hash_inputs(read | beyond), self.code_version)


def _decorator(
    make: Callable[Concatenate[StageFunction, P], Stage],
) -> Callable[P, Callable[[StageFunction], Stage]]:
    """Return a decorator that takes what `make` takes, and gives it the decorated function."""
    return lambda *args, **options: lambda function: make(function, *args, **options)


stage = _decorator(Stage)
