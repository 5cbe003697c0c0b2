"""What a stage's function is given, and what it gives back."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg

from resources.device import Device
from resources.ledger.pending import Identity
from resources.store.artifacts import Artifact
from resources.store.contents import Content
from resources.store.held_folder import HeldFolder
from resources.workspace import Workspace
from selection.budget.amounts import Amount
from selection.budget.meter import UNMETERED, Meter
from selection_assets.stage.metadata import metadata

MARGIN = 1.05
"""FLOPs are counted by formula beforehand; what is reserved above that covers rounding."""

SECONDS_MARGIN = 1.3
REMEDY = "remedy"
"""Under which a failed check's facts say what to do."""

FIRST_SECONDS = 30.0
"""Reserved at least; a step that takes longer asks for more as it goes."""

T = TypeVar("T")


@dataclass
class Step:
    """One partition of a stage, at work: the one argument of the stage's function.

    Attributes
    ----------
    context : of Dagster.
    identity : what is being made, of which inputs, by which code.
    inputs : input name to (partition to what was loaded of it).
    meter : what long work asks before each part of it.
    found : what the stage's `finds` has found out; None for a stage without.
    n_partitions : that the run makes in all.
    in_common : what `once` has made for the partitions of the run before this one.
    """

    context: dg.AssetExecutionContext
    identity: Identity
    inputs: Mapping[str, Mapping[str, Artifact]]
    meter: Meter = UNMETERED
    found: Any = None
    n_partitions: int = 1
    in_common: dict[str, Any] = field(default_factory=dict)

    @property
    def partition(self) -> str:
        """Key of the partition, `UNPARTITIONED` where there are none."""
        return self.identity.partition

    @property
    def workspace(self) -> Workspace:
        """Ledger and artifact store."""
        return self.context.resources.workspace

    @property
    def device(self) -> Device:
        """What the step computes on."""
        return self.context.resources.device

    @property
    def work(self) -> Path:
        """A folder that survives a kill and is found again by the next attempt at the same work."""
        return self._work.path

    @cached_property
    def _work(self) -> HeldFolder:
        return self.workspace.store.work_folder(self.identity.work)

    def give_work(self) -> HeldFolder | None:
        """Give the work folder, if the step has used it, to whoever publishes what it made."""
        return vars(self).pop("_work", None)

    def leave_work(self) -> None:
        """Leave the work folder, if the step still has one, to the next attempt."""
        if (work := self.give_work()) is not None:
            work.hold.release()

    def one(self, name: str) -> Artifact:
        """Give an input that is one artifact.

        Raises
        ------
        KeyError
            When the stage has no such input.
        """
        [artifact] = self.inputs[name].values()
        return artifact

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Make something for all partitions of the run that are made one after another here.

        Parameters
        ----------
        name : of what is made; it may depend on nothing that differs between them.
        """
        if name not in self.in_common:
            self.in_common[name] = make()
        return self.in_common[name]

    def maybe(self, name: str) -> Artifact | None:
        """Give an input that only some studies have."""
        return self.one(name) if name in self.inputs else None


@dataclass(frozen=True)
class Expected:
    """FLOPs of a costly step, by its accountant, and its seconds on this device if known."""

    flops: float
    seconds: float | None = None

    @property
    def upper(self) -> Amount:
        """What the step has reserved for it."""
        seconds = SECONDS_MARGIN * (self.seconds or 0.0)
        return Amount(MARGIN * self.flops, max(FIRST_SECONDS, seconds))


@dataclass(frozen=True)
class Check:
    """Outcome of one check of a stage; a failure blocks what comes after unless it only warns.

    Attributes
    ----------
    facts : what was found.
    remedy : what to do about a failure.
    """

    name: str
    passed: bool
    facts: Mapping[str, Any] = field(default_factory=dict)
    only_warns: bool = False
    remedy: str = ""

    def result(self, description: str) -> dg.AssetCheckResult:
        """Return it as Dagster takes it."""
        severity = dg.AssetCheckSeverity.WARN if self.only_warns else dg.AssetCheckSeverity.ERROR
        advised = self.remedy and not self.passed
        facts = {**self.facts, REMEDY: self.remedy} if advised else self.facts
        return dg.AssetCheckResult(
            passed=bool(self.passed),
            check_name=self.name,
            description=description,
            metadata=metadata(facts),
            severity=severity,
        )


@dataclass(frozen=True)
class Draft:
    """What a stage's function returns.

    Attributes
    ----------
    files : name to content, for `ArtifactStore.stage`.
    rows : how many rows or examples it holds.
    flops, accountant : what was computed, and who counted.
    resumed_flops : part of it that an earlier, interrupted attempt had computed.
    facts : shown in the UI; never part of the content.
    checks : one outcome for each check that the stage declares.
    """

    files: Mapping[str, Content]
    rows: int
    flops: float = 0.0
    accountant: str = "none"
    resumed_flops: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    checks: Sequence[Check] = ()


def emptied(folder: Path) -> Path:
    """Return an empty folder: what a killed attempt left half-written there is removed."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    return folder
