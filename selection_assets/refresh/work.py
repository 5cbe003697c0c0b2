"""What one run of a refresh makes, and how stale partitions are brought into few of them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from resources.store.artifacts import UNPARTITIONED
from selection.basics.brevity import some_of
from selection_assets.stage.asked import MOST_PARTITIONS


@dataclass(frozen=True)
class Work:
    """Stages to materialize together, in one run.

    Attributes
    ----------
    assets : as `prefix/name`, upstream first.
    partitions : of all of them; none where they have none.
    whole : those of them that have none, where the others have.
    """

    assets: tuple[str, ...]
    partitions: tuple[str, ...] = ()
    whole: frozenset[str] = frozenset()

    @property
    def steps(self) -> list[tuple[str, str]]:
        """(asset, partition) of everything that it makes, as the ledger has it."""
        return [
            *((asset, UNPARTITIONED) for asset in self.assets if asset in self.whole),
            *(
                (asset, partition)
                for partition in self.partitions or (UNPARTITIONED,)
                for asset in self.assets
                if asset not in self.whole
            ),
        ]

    @property
    def lines(self) -> list[str]:
        """One short line for each partition."""
        names = ", ".join(asset.rpartition("/")[2] for asset in self.assets)
        return [f"{names} [{partition}]" for partition in self.partitions] or [names]

    @property
    def text(self) -> str:
        """One short line for all, for a progress bar."""
        names = ", ".join(asset.rpartition("/")[2] for asset in self.assets)
        return f"{names} [{', '.join(some_of(self.partitions))}]" if self.partitions else names

    def of(self, assets: Sequence[str], *, without: Collection[str]) -> "Work | None":
        """What is left of it for some of its assets without some partitions; None for nothing."""
        if not self.partitions or self.whole.issuperset(assets):
            return None if UNPARTITIONED in without else Work(tuple(assets))
        left = tuple(key for key in self.partitions if key not in without)
        return Work(tuple(assets), left, self.whole.intersection(assets)) if left else None


def bring_together(
    stale: Mapping[str, Sequence[str]], in_batches: Collection[str]
) -> Iterator[Work]:
    """Bring what is stale on one level into runs.

    Sources are made many in a run, with all stages that make the same ones; anything else is a run
    a partition.

    Parameters
    ----------
    stale : asset to its stale partitions, `UNPARTITIONED` where it has none.
    in_batches : assets whose partitions are sources.
    """
    together: dict[tuple[str, ...], list[str]] = {}
    for asset, partitions in stale.items():
        if asset in in_batches:
            together.setdefault(tuple(partitions), []).append(asset)
        else:
            for partition in partitions:
                key = () if partition == UNPARTITIONED else (partition,)
                together.setdefault(key, []).append(asset)
    for partitions, assets in together.items():
        for first in range(0, max(len(partitions), 1), MOST_PARTITIONS):
            yield Work(tuple(assets), partitions[first : first + MOST_PARTITIONS])


def failed_text(asset: str, partition: str, reason: str) -> str:
    """Say of a partition that it failed, and why."""
    name = asset.rpartition("/")[2]
    where = "" if partition == UNPARTITIONED else f" [{partition}]"
    return f"{name}{where} failed:\n{reason}"
