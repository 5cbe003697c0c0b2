"""The one IO manager: a step receives published artifacts; what it makes it publishes by itself."""

import dagster as dg
from pydantic import PrivateAttr

from resources.store.artifacts import UNPARTITIONED, Artifact
from resources.workspace import Workspace

MAY_LACK_PARTITIONS = "may_lack_partitions"
"""Metadata of an input that is loaded with whatever partitions exist."""


class ArtifactIOManager(dg.ConfigurableIOManager):
    """Loads inputs as a mapping of partition to `Artifact`."""

    workspace: dg.ResourceDependency[Workspace]
    _step: object = PrivateAttr(None)
    _current: dict[str, dict[str, Artifact]] = PrivateAttr(default_factory=dict)

    def handle_output(self, context: dg.OutputContext, obj: None) -> None:
        """Leave it at that: each partition was published as soon as it was made."""

    def load_input(self, context: dg.InputContext) -> dict[str, Artifact | None]:
        """Find the current versions of what an input names, by partition.

        All inputs of a step are of one moment, whatever many partitions it makes: the ledger is
        asked once.

        Returns
        -------
        dict
            Partition to its version; None for one that was never materialized, unless the input
            may lack some.
        """
        asset = context.asset_key.to_user_string()
        if context.step_context is not self._step:
            self._step = context.step_context
            self._current = self.workspace.ledger.all_current_versions()
        current = self._current.get(asset, {})
        keys = list(context.asset_partition_keys) if context.has_asset_partitions else []
        wanted = keys or [UNPARTITIONED]
        if context.definition_metadata.get(MAY_LACK_PARTITIONS):
            wanted = [key for key in wanted if key in current]
        return {key: current.get(key) for key in wanted}
