"""Does the shared store have all that the ledger names, and nothing else?"""

from datetime import UTC, datetime
from typing import Any

from tqdm import tqdm

from resources.ledger.ledger import Ledger
from resources.project import project_file
from resources.shared_debris import find_shared_debris, remove_shared_debris
from resources.store.artifacts import CorruptArtifact
from resources.store.shared import shared_store
from resources.store.shared_store import SharedStore
from resources.store.version_folders import version_place
from selection.config.files import ConfigurationError
from selection.reports.numbers import number
from selection.reports.tables import text_table


def share_all(ledger: Ledger) -> dict[str, Any]:
    """Put what the shared store lacks of the versions that the ledger names, each verified.

    Raises
    ------
    ConfigurationError
        When the project shares nothing.
    SharedStoreFailed
        When it cannot be put there; what is there by then stays.
    """
    shared = _shared()
    artifacts = [
        ledger.artifact(row)
        for row in ledger.query(
            "SELECT DISTINCT ON (asset, partition, data_version) asset, partition, data_version, id"
            " FROM materialization ORDER BY asset, partition, data_version"
        )
    ]
    put, problems = 0, []
    for artifact in tqdm(artifacts, desc="share", unit="version", leave=False):
        where = version_place(artifact.asset, artifact.partition, artifact.version)
        is_new = where not in shared
        try:
            artifact.verify(fetch=False)
        except CorruptArtifact as error:
            if is_new:  # else it may be fetched
                problems.append(str(error))
            continue
        shared.keep(artifact.folder, where)  # blobs that are there are not put again
        put += is_new
    return {
        "address": shared.address,
        "versions": len(artifacts),
        "put": put,
        "problems": problems,
    }


def clear_shared(ledger: Ledger, confirmed: int | None) -> dict[str, Any]:
    """Find what this ledger does not name, and remove it where its number is confirmed.

    Raises
    ------
    ConfigurationError
        When the project shares nothing, its ledger is empty, or the number is another.
    """
    shared = _shared()
    if not ledger.query("SELECT id FROM materialization LIMIT 1"):
        raise ConfigurationError("this ledger names nothing: bring back the one that was here")
    found = find_shared_debris(ledger, shared)
    blobs = 0
    if confirmed is not None:
        try:
            blobs = remove_shared_debris(ledger, shared, confirmed=confirmed)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
    return {
        "address": shared.address,
        "found": [
            {"path": where, "age_seconds": (datetime.now(UTC) - put).total_seconds()}
            for where, put in sorted(found.items())
        ],
        "removed": confirmed or 0,
        "blobs": blobs,
    }


def shared_text(cleared: dict[str, Any]) -> str:
    """Lay out what `clear_shared` found and did."""
    found, there = cleared["found"], cleared["address"]
    days = [[one["path"], f"{number(one['age_seconds'] / 86_400)} days"] for one in found]
    parts = [text_table(["not named by this ledger", "age"], days)] if found else []
    if cleared["removed"] or cleared["blobs"]:
        parts.append(f"{there}: {cleared['removed']} versions and {cleared['blobs']} blobs removed")
    else:
        parts.append(
            f"{there}: {len(found)} versions that this ledger does not name, and perhaps blobs that"
            f" no version names; `selection gc --shared --delete --shared-versions {len(found)}`"
            " removes them for good, also those of another project that shares there"
        )
    return "\n\n".join(parts)


def _shared() -> SharedStore:
    shared = shared_store()
    if shared is None:
        raise ConfigurationError(
            f"this project shares nothing: set `store: s3://bucket/prefix` in {project_file()}"
        )
    return shared
