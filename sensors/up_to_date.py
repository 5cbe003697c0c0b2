"""What a first tick takes as seen: all that the ledger has from the files as they are now."""

from collections.abc import Mapping

from resources.ledger.ledger import Ledger
from selection_assets.stage.stage import Stage
from sensors.changes import Seen


def seen_by_ledger(
    stage: Stage, now: Mapping[str, str], partitions: Mapping[str, str], ledger: Ledger
) -> Seen:
    """Return the fingerprints that need no run.

    Parameters
    ----------
    stage : reads nothing but files and packages.
    now : name to fingerprint.
    partitions : name to the stage's partition.
    """
    current = ledger.current_identities()
    asset = stage.name
    return Seen(
        {
            name: fingerprint
            for name, fingerprint in now.items()
            if current.get((asset, partitions[name])) == stage.identity(partitions[name], {})
        }
    )
