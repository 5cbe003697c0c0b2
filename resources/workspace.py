"""The ledger and artifact store as a Dagster resource."""

from pathlib import Path

import dagster as dg

from resources.ledger.ledger import Ledger, open_ledger
from resources.project import store_root
from resources.store.artifacts import ArtifactStore
from resources.throughput import Throughput


class Workspace(dg.ConfigurableResource):
    """Opens the ledger and the artifacts of the project's store.

    It has no fields, since whoever may launch a run could set them: the place is the project's.
    """

    @property
    def folder(self) -> Path:
        """Where everything lies."""
        return store_root()

    @property
    def ledger(self) -> Ledger:
        """What was made, from what, at what cost."""
        return open_ledger(self.folder)

    def throughput(self, device_name: str) -> Throughput:
        """How fast a device was found to be."""
        return Throughput(self.folder / "throughput", device_name)

    @property
    def store(self) -> ArtifactStore:
        """The artifact folders."""
        return self.ledger.store
