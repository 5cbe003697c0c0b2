"""What a study came to: everything that must not depend on how often its runs were killed."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from resources.debris import Debris, find_debris, remove_debris
from resources.ledger.ledger import Ledger
from resources.ledger.lineage import current_artifacts


@dataclass(frozen=True)
class Outcome:
    """The lasting result of a study.

    Attributes
    ----------
    selected : arm to a hash of the rows it selected, in order.
    current : (asset, partition, version) of everything current.
    files : path in the store to size and hash.
    flops : (asset, partition) to what its current materialization cost; plans are left out, which
        time the device for as long as its clock asks for.
    """

    selected: dict[str, str]
    current: set[tuple[str, str, str]]
    files: dict[str, str]
    flops: dict[tuple[str, str], float]


NOTHING = Outcome(selected={}, current=set(), files={}, flops={})
"""What there is before a study has run."""


def check_readers(ledger: Ledger, old: Outcome, new: Outcome) -> None:
    """Everything current verifies, and is what it was or what it will be."""
    for artifact in current_artifacts(ledger):
        artifact.verify()
        assert (artifact.asset, artifact.partition, artifact.version) in old.current | new.current


def study_outcome(ledger: Ledger) -> Outcome:
    """Read everything, each file verified in full.

    Each current materialization must have been paid exactly once, and no entry may be open.
    """
    artifacts = current_artifacts(ledger)
    for artifact in artifacts:
        artifact.verify()
    paid = ledger.query(
        "SELECT m.asset, m.partition, count(s.id) AS entries,"
        # Making it cost this much; attempts before the last have paid for what was resumed.
        " sum(s.flops + s.resumed_flops) AS flops"
        " FROM current_version c JOIN materialization m ON m.id = c.materialization"
        " LEFT JOIN spend s ON s.materialization = m.id AND s.state = 'settled'"
        " GROUP BY m.asset, m.partition"
    )
    assert {(p["asset"], p["partition"]): p["entries"] for p in paid if p["entries"] != 1} == {}
    assert ledger.query("SELECT asset, partition FROM spend WHERE state = 'running'") == []
    return Outcome(
        selected={
            artifact.partition: _selected(artifact.path("subset.parquet"))
            for artifact in artifacts
            if artifact.asset.endswith("/selected_subset")
        },
        current={(a.asset, a.partition, a.version) for a in artifacts},
        files=published_files(ledger.artifacts),
        flops={
            (p["asset"], p["partition"]): p["flops"]
            for p in paid
            if not p["asset"].endswith("/budget_plan")
        },
    )


def check_same(found: Outcome, undisturbed: Outcome) -> None:
    """Say what differs, and nothing of what does not."""
    for part in ("selected", "files", "flops"):
        ours, theirs = getattr(found, part), getattr(undisturbed, part)
        keys = ours.keys() | theirs.keys()
        assert {k: (ours.get(k), theirs.get(k)) for k in keys if ours.get(k) != theirs.get(k)} == {}
    assert found.current == undisturbed.current
    assert sum(found.flops.values()) == sum(undisturbed.flops.values())


def published_files(root: Path) -> dict[str, str]:
    """Every file outside the folders of unfinished work, with its size and hash."""
    paths = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    return {
        path.as_posix(): f"{(root / path).stat().st_size} {_hash((root / path).read_bytes())}"
        for path in paths
        if not path.parts[0].startswith(".")
    }


def clear_away(ledger: Ledger) -> list[Debris]:
    """Do what `selection gc --delete` does; returns what went."""
    found = find_debris(ledger, unfinished_days=14)
    assert remove_debris(ledger, found) == len(found)
    assert find_debris(ledger, unfinished_days=14) == []
    return found


def _selected(subset: Path) -> str:
    import pyarrow.parquet as pq

    rows = pq.read_table(subset, columns=["draw", "rank", "row_id"])
    return _hash(json.dumps(rows.to_pylist()).encode())


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
