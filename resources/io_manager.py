"""The one IO manager: steps hand over staged artifacts and receive published ones."""

import dagster as dg
from pydantic import PrivateAttr

from resources.ledger.ledger import Pending
from resources.ledger.spending import OverCap
from resources.refused import refused
from resources.store.artifacts import UNPARTITIONED, Artifact
from resources.workspace import Workspace

MAY_LACK_PARTITIONS = "may_lack_partitions"
"""Metadata of an input that is loaded with whatever partitions exist."""


class ArtifactIOManager(dg.ConfigurableIOManager):
    """Publishes what a step staged; loads inputs as a mapping of partition to `Artifact`."""

    workspace: dg.ResourceDependency[Workspace]
    _step: object = PrivateAttr(None)
    _current: dict[str, dict[str, Artifact]] = PrivateAttr(default_factory=dict)

    def handle_output(self, context: dg.OutputContext, obj: Pending | Artifact) -> None:
        """Publish a pending artifact; one that is already published needs nothing.

        Raises
        ------
        dagster.Failure
            When a cap has no room for what was spent after a step was recorded as lost.
        """
        if not isinstance(obj, Pending):
            return
        ledger = self.workspace.ledger
        try:
            ledger.publish(obj)
        except OverCap as error:
            raise refused(str(error)) from error
        except BaseException:
            # The process may live long, and so would what it has reserved.
            if obj.spend is not None:
                ledger.spending.lose(spend=obj.spend, begun=obj.cost.spent)
            raise
        else:
            if obj.work is not None:
                obj.work.remove()
        finally:
            if obj.work is not None:
                obj.work.hold.release()

    def load_input(self, context: dg.InputContext) -> dict[str, Artifact]:
        """Find the current versions of what an input names, by partition.

        All inputs of a step are of one moment: the ledger is asked once.

        Raises
        ------
        dagster.Failure
            When a partition has never been materialized, naming it.
        """
        asset = context.asset_key.to_user_string()
        if context.step_context is not self._step:
            self._step = context.step_context
            self._current = self.workspace.ledger.all_current_versions()
        current = self._current.get(asset, {})
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
