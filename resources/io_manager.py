"""The one IO manager: steps hand over staged artifacts and receive published ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

from resources.ledger.ledger import Identity
from resources.ledger.spends import Cost
from resources.store.artifacts import UNPARTITIONED, Artifact, Staged
from resources.workspace import Workspace

MAY_LACK_PARTITIONS = "may_lack_partitions"
"""Metadata of an input that is loaded with whatever partitions exist."""


@dataclass(frozen=True)
class Pending:
    """A staged artifact with all that the ledger will say of it."""

    staged: Staged
    identity: Identity
    campaign: str
    inputs: Sequence[str]
    rows: int
    started_at: datetime
    cost: Cost
    spend: str | None
    make_current: bool


class ArtifactIOManager(dg.ConfigurableIOManager):
    """Publishes what a step staged; loads inputs as a mapping of partition to `Artifact`."""

    workspace: dg.ResourceDependency[Workspace]

    def handle_output(self, context: dg.OutputContext, obj: Pending | Artifact) -> None:
        """Publish a pending artifact; one that is already published needs nothing."""
        if isinstance(obj, Artifact):
            return
        self.workspace.ledger.publish(
            obj.staged,
            obj.identity,
            campaign=obj.campaign,
            inputs=obj.inputs,
            run_id=context.run_id,
            rows=obj.rows,
            started_at=obj.started_at,
            cost=obj.cost,
            spend=obj.spend,
            make_current=obj.make_current,
        )

    def load_input(self, context: dg.InputContext) -> dict[str, Artifact]:
        """Find the current versions of what an input names, by partition.

        Raises
        ------
        dagster.Failure
            When a partition has never been materialized, naming it.
        """
        asset = context.asset_key.to_user_string()
        current = self.workspace.ledger.current_versions(asset)
        keys = list(context.asset_partition_keys) if context.has_asset_partitions else []
        wanted = keys or [UNPARTITIONED]
        missing = [key for key in wanted if key not in current]
        definition = context.definition_metadata
        if missing and not definition.get(MAY_LACK_PARTITIONS):
            names = ", ".join(missing[:5])
            raise dg.Failure(
                f"{asset} has no current version for {names}; materialize it first",
                allow_retries=False,
            )
        return {key: current[key] for key in wanted if key in current}
