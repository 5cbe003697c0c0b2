"""Which partitions does a pool have now, and are Dagster's the same?"""

import dagster as dg
from tqdm import tqdm

from resources.ledger.ledger import Ledger
from selection.config.pool import Pool
from selection_assets.graph import pool_stages
from selection_assets.shared.pool_sources import PoolSources, find_pool_sources
from selection_assets.stage.keys import source_partitions


def sources_of(pool: Pool, ledger: Ledger) -> PoolSources:
    """Look at all sources of a pool."""
    [raw_corpus, *_] = pool_stages(pool, [])
    return find_pool_sources(pool, raw_corpus, ledger)


def register_sources(pool: Pool, sources: PoolSources, instance: dg.DagsterInstance) -> None:
    """Make the pool's partitions those of its sources as they are now.

    A source that is gone loses its partition, so that studies no longer read its rows; what was
    made of it stays in the store and in the ledger.
    """
    name = _partitions_name(pool)
    known = set(known_sources(pool, instance))
    now = sources.partitions
    instance.add_dynamic_partitions(name, [source for source in now if source not in known])
    for gone in sorted(known - set(now)):
        tqdm.write(f"{gone} is no longer a source of {pool.name}: its partition is removed")
        remove_partition(pool, gone, instance)


def known_sources(pool: Pool, instance: dg.DagsterInstance) -> list[str]:
    """All partitions of a pool, in Dagster's order."""
    return list(instance.get_dynamic_partitions(_partitions_name(pool)))


def remove_partition(pool: Pool, source: str, instance: dg.DagsterInstance) -> None:
    """Take a source from what studies of its pool read, and from what Dagster waits for."""
    instance.delete_dynamic_partition(_partitions_name(pool), source)


def _partitions_name(pool: Pool) -> str:
    name = source_partitions(pool.name).name
    assert name is not None
    return name
