"""What a stage's function may look at: the one argument that it receives."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg

from resources.device import Device
from resources.ledger.ledger import Identity
from resources.store.artifacts import Artifact
from resources.workspace import Workspace
from selection.budget.meter import UNMETERED, Meter


@dataclass
class Step:
    """One partition of a stage, at work.

    Attributes
    ----------
    context : of Dagster.
    identity : what is being made, of which inputs, by which code.
    inputs : input name to (partition to what was loaded of it).
    meter : what long work asks before each part of it.
    found : what the stage's `finds` has found out; None for a stage without.
    """

    context: dg.AssetExecutionContext
    identity: Identity
    inputs: Mapping[str, Mapping[str, Artifact]]
    meter: Meter = UNMETERED
    found: Any = None

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

    @cached_property
    def work(self) -> Path:
        """A folder that survives a kill and is found again by the next attempt at the same work."""
        return self.workspace.store.work_folder("\0".join(vars(self.identity).values()))

    def clear_work(self) -> None:
        """Remove the work folder, if the step has used it: what it made is staged."""
        if "work" in vars(self):
            shutil.rmtree(self.work)

    def one(self, name: str) -> Artifact:
        """Give an input that is one artifact.

        Raises
        ------
        KeyError
            When the stage has no such input.
        """
        [artifact] = self.inputs[name].values()
        return artifact

    def maybe(self, name: str) -> Artifact | None:
        """Give an input that only some studies have."""
        return self.one(name) if name in self.inputs else None

    def by_partition(self, name: str) -> Mapping[str, Artifact]:
        """Give an input of which there is one artifact a partition, such as a source."""
        return self.inputs[name]
