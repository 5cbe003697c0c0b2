"""Which sources of a pool are read, which keep the rows they had, and which are of no use now?"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from resources.ledger.ledger import Ledger
from resources.paths import resolve
from resources.store.artifacts import Artifact, CorruptArtifact
from selection.config.pool import Pool
from selection.corpus.faults import remedy, whole_or_allowed
from selection.corpus.not_read import NotRead
from selection.corpus.sources import Listing, list_sources
from selection_assets.stage.stage import Stage


@dataclass(frozen=True)
class PoolSources:
    """The sources of a pool at one moment, and what the ledger knows of them.

    Attributes
    ----------
    listing : what lies there.
    unusable : sources that have been read as they are now, and of which no version has ever passed
        its checks.
    current : partitions of which a version has passed its checks.
    left_out : those that have failed since.
    """

    listing: Listing
    unusable: Mapping[str, NotRead]
    current: frozenset[str]
    left_out: frozenset[str] = frozenset()

    @property
    def readable(self) -> list[str]:
        """Partitions that can be read now."""
        return sorted(self.listing.sources.keys() - self.unusable.keys() - self.left_out)

    @property
    def kept(self) -> frozenset[str]:
        """Partitions that lie there and cannot be read now: they keep the rows that they had.

        They are still being written, share a name, or have lost their permissions.
        """
        return self.current & {one.name for one in self.listing.not_read if one.name is not None}

    @property
    def partitions(self) -> list[str]:
        """Partitions that studies of the pool read: what is readable, and what keeps its rows."""
        return sorted({*self.readable, *(self.kept - self.left_out)})

    @property
    def not_read(self) -> list[NotRead]:
        """What is not read, of whatever kind."""
        listed = [
            replace(one, remedy=f"{one.remedy}; its rows stay as they were last read")
            if one.name in self.kept
            else one
            for one in self.listing.not_read
        ]
        return [*listed, *self.unusable.values()]

    def without(self, source: str) -> "PoolSources":
        """Return the others, after one has failed."""
        return replace(self, left_out=self.left_out | {source})

    def outside(self, partition: str) -> dict[str, str]:
        """What `raw_corpus` reads for a partition, as the listing saw it."""
        return {partition: self.listing.fingerprints[partition]}


def find_pool_sources(pool: Pool, raw_corpus: Stage, ledger: Ledger) -> PoolSources:
    """Look at everything that a pool is made of, once, and at what was made of it.

    Parameters
    ----------
    raw_corpus : the pool's stage of that name.
    """
    listing = list_sources(pool, resolve)
    current = ledger.current_versions(raw_corpus.name)
    unusable = _unusable(listing, raw_corpus, ledger, current)
    return PoolSources(listing, unusable, frozenset(current))


def _unusable(
    listing: Listing, raw_corpus: Stage, ledger: Ledger, current: Collection[str]
) -> dict[str, NotRead]:
    rows = ledger.query("SELECT * FROM materialization WHERE asset = ?", [raw_corpus.name])
    never_passed = [row for row in rows if row["partition"] not in current]
    found: dict[str, NotRead] = {}
    for row in never_passed:
        name = row["partition"]
        if name not in listing.sources:
            continue
        identity = raw_corpus.identity(name, {}, {name: listing.fingerprints[name]})
        if (row["input_hash"], row["code_version"]) == (identity.input_hash, identity.code_version):
            what = listing.sources[name].what
            found[name] = why_unusable(what, name, ledger.artifact(row))
    return found


def why_unusable(what: str, name: str, made: Artifact) -> NotRead:
    """Say why a version of a source did not pass its checks, and where its bad rows are."""
    try:
        listed = made.table("quarantine.parquet", ["reason", "unread"])
        bad, unread = listed["reason"].to_pylist(), listed["unread"].to_pylist()
        usable = made.n_rows("rows.parquet")
    except (CorruptArtifact, OSError) as error:
        return NotRead(what, f"it was read and failed its checks; {error}", "correct it", name=name)
    kinds = Counter(reason.partition(": ")[0] for reason in bad).most_common(3)
    reasons = ", ".join(f"{kind} ({count:,})" for kind, count in kinds)
    to_do = remedy(
        bad=not unread or not all(unread),
        unread=any(unread),
        correct="correct it",
        whole=whole_or_allowed(name),
    )
    return NotRead(
        what,
        f"it was read: {usable:,} usable rows, {len(bad):,} bad ones{': ' * bool(bad)}{reasons}",
        f"{to_do}; what was bad is in {made.folder / 'quarantine.parquet'}",
        name=name,
    )
