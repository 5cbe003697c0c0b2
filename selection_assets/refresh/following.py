"""What can a run make beside its work, since it follows from it whatever comes out?

Each run costs a moment of Dagster's, and a study has a dozen levels. What has never been made needs
no look at what its inputs have become: it is made in the run that makes them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from resources.store.artifacts import UNPARTITIONED
from selection_assets.refresh.work import Work
from selection_assets.stage.asked import MOST_PARTITIONS
from selection_assets.stage.inputs import asset_key
from selection_assets.stage.stage import Stage


def with_followers(
    work: Work,
    later: Iterable[Stage],
    stale: Mapping[str, Sequence[str]],
    made: Collection[str],
) -> Work:
    """Add to a run what follows from it, has never been made, and has the same partitions or none.

    As in `bring_together`, only sources are made many in a run.

    Parameters
    ----------
    later : stages of the levels after the work's, upstream first.
    stale : asset to its stale partitions as things are now, of the work's level and of the later.
    made : assets of which there is any version.
    """
    run = dict.fromkeys(work.assets, work.partitions)
    partitions, makes = work.partitions, set(work.partitions or (UNPARTITIONED,))
    # What is made by later runs, or perhaps: whoever reads it has to wait for them.
    waited_for = {
        asset for asset, keys in stale.items() if asset not in run or not makes.issuperset(keys)
    }
    for stage in later:
        read = {asset_key(asset_in).to_user_string() for asset_in in stage.ins.values()}
        keys = tuple(key for key in stale.get(stage.name, ()) if key != UNPARTITIONED)
        waited_for.discard(stage.name)
        follows = not read.isdisjoint(run) and read.isdisjoint(waited_for)
        is_new = stage.name in stale and stage.name not in made
        is_alike = not keys or not partitions or set(keys) == set(partitions)
        fits = is_alike and len(keys) <= (MOST_PARTITIONS if stage.over_sources else 1)
        if follows and is_new and fits:
            run[stage.name] = keys
            partitions = partitions or keys
        elif stage.name in stale or not read.isdisjoint({*run, *waited_for}):
            waited_for.add(stage.name)
    whole = frozenset(asset for asset, keys in run.items() if partitions and not keys)
    return Work(tuple(run), partitions, whole)
