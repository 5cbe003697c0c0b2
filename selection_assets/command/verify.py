"""What of a store and its ledger is not as it was published?"""

from dataclasses import dataclass

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import LedgerRow, current_artifacts
from resources.store.artifacts import Artifact, CorruptArtifact


@dataclass(frozen=True)
class Verified:
    """What was looked at, and what is wrong.

    Attributes
    ----------
    looked_at : asset, partition, version and problem of each artifact, and of the ledger.
    problems : what is wrong; nothing when all is well.
    summary : in lines for a terminal.
    """

    looked_at: list[LedgerRow]
    problems: list[str]
    summary: str


def find_damage(ledger: Ledger, noted: str | None) -> Verified:
    """Hash every file of every current artifact, and check every entry of the ledger.

    Parameters
    ----------
    noted : hash of an entry that must still be in the ledger.
    """
    artifacts = current_artifacts(ledger)
    looked_at = [
        {
            "asset": artifact.asset,
            "partition": artifact.partition,
            "version": artifact.version,
            "problem": _problem(artifact),
        }
        for artifact in artifacts
    ]
    corrupt = [found["problem"] for found in looked_at if found["problem"]]
    wrong = ledger.verify(noted)
    entries, last = ledger.head()
    looked_at += [
        {"asset": "ledger", "partition": f"{entries} entries", "version": last, "problem": problem}
        for problem in wrong or [None]
    ]
    summary = (
        f"{len(artifacts)} artifacts, {len(corrupt)} corrupt\n"
        f"{entries} entries of the ledger, {len(wrong)} things wrong; its head is {last}"
    )
    return Verified(looked_at, [*corrupt, *wrong], summary)


def _problem(artifact: Artifact) -> str | None:
    try:
        artifact.verify()
    except (CorruptArtifact, OSError) as error:
        return str(error)
    return None
