"""Does the shared store have all that the ledger names?"""

from typing import Any

from tqdm import tqdm

from resources.ledger.ledger import Ledger
from resources.project import project_file
from resources.store.shared_store import place, shared_store
from selection.config.files import ConfigurationError


def share_all(ledger: Ledger) -> dict[str, Any]:
    """Put what the shared store lacks of the versions that the ledger names, each verified.

    Raises
    ------
    ConfigurationError
        When the project shares nothing.
    CorruptArtifact
        Naming a file that is not what was published.
    SharedStoreFailed
        When it cannot be put there; what is there by then stays.
    """
    shared = shared_store()
    if shared is None:
        raise ConfigurationError(
            f"this project shares nothing: set `store: s3://bucket/prefix` in {project_file()}"
        )
    artifacts = [
        ledger.artifact(row)
        for row in ledger.query(
            "SELECT DISTINCT ON (asset, partition, data_version) asset, partition, data_version, id"
            " FROM materialization ORDER BY asset, partition, data_version"
        )
    ]
    put = 0
    for artifact in tqdm(artifacts, desc="share", unit="version", leave=False):
        where = place(artifact.asset, artifact.partition, artifact.version)
        if where not in shared:
            artifact.verify()
            shared.keep(artifact.folder, where)
            put += 1
    return {"address": shared.address, "versions": len(artifacts), "put": put}
