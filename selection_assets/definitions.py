"""Assets of every study, their resources and the executor; `sensors.definitions` adds when."""

import dagster as dg

from resources.device import Device
from resources.io_manager import ArtifactIOManager
from resources.workspace import Workspace
from selection_assets.graph import all_stages
from selection_assets.stage.asset import build_asset

# Each step of the UI's runs is a process; forking from a server that already holds these imports
# saves seconds a step.
PRELOADED = [
    *("sensors.definitions", "numpy", "pyarrow.parquet", "torch", "transformers"),
    # What a step opens Dagster's history with; one that a later version lacks is passed over.
    *("dagster._core.storage.legacy_storage", "dagster._core.storage.sqlite_storage"),
]


def project_resources() -> dict[str, object]:
    """Return the resources of every stage; a run's configuration can set nothing of them."""
    workspace = Workspace()
    artifacts = ArtifactIOManager(workspace=workspace)
    return {
        "workspace": workspace,
        "device": Device(),
        "artifacts": artifacts,
        "io_manager": artifacts,  # in place of Dagster's own, whose folder a run may choose
    }


def build_definitions() -> dg.Definitions:
    """Read the project's studies and return all that Dagster is to know of them."""
    return dg.Definitions(
        assets=[build_asset(stage) for stage in all_stages()],
        resources=project_resources(),
        # By a function, since Dagster takes any further setting of one configured by values.
        executor=dg.multiprocess_executor.configured(
            lambda _: {"start_method": {"forkserver": {"preload_modules": PRELOADED}}},
            config_schema={},
        ),
    )
