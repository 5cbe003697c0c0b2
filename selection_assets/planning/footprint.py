"""Does a study fit this machine, in memory and on disk?"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pyarrow.parquet as pq

from resources.device import Device
from resources.ledger.ledger import Ledger
from resources.machine import free_disk_bytes, memory_bytes
from resources.store.artifacts import Artifact
from selection.config.study import Study
from selection.planning.arms import PoolSize
from selection.planning.footprint import GB, disk_needs, memory_needs, too_large
from selection_assets.stage.keys import embedder_key, study_key
from selection_assets.studies import load_pools


def find_footprint(
    study: Study, ledger: Ledger, corpus: Mapping[str, Artifact], size: PoolSize
) -> dict[str, Any]:
    """What selecting takes at most on this machine: `memory`, in which step, and `disk`, in bytes.

    Parameters
    ----------
    corpus : the pool's rows by source, which `size` is of.

    Raises
    ------
    dagster.Failure
        When the machine has less, with the setting that would do.
    """
    workers = Device().processes
    memory_mib = load_pools()[study.pool].memory_mib
    texts = float(sum(map(_text_bytes, corpus.values())))
    needs = memory_needs(study, size, texts, memory_mib=memory_mib, workers=workers)
    if said := too_large(needs, memory_bytes(), workers=workers):
        raise dg.Failure(f"study {study.name} does not fit: {said}", allow_retries=False)
    disk, free = _left_to_write(study, ledger, disk_needs(study, size, texts)), free_disk_bytes()
    if disk > free:
        raise dg.Failure(
            f"study {study.name} does not fit: it writes about {disk / GB:.1f} GB and the disk of"
            f" the store has {free / GB:.1f} GB free: clear away what nothing reads with `selection"
            " gc --delete`, take fewer methods, or lay the project on a larger disk",
            allow_retries=False,
        )
    return {"memory": needs[0].bytes, "memory_in": needs[0].step, "disk": disk}


def footprint_line(plan: Mapping[str, Any]) -> str:
    """One line: about how much memory and disk a plan's selection takes."""
    found = plan["footprint"]
    return (
        f"memory: about {found['memory'] / GB:.1f} GB at most, for {found['memory_in']};"
        f" disk: about {found['disk'] / GB:.1f} GB more"
    )


def _left_to_write(study: Study, ledger: Ledger, needs: Mapping[str, float]) -> float:
    """Without what is there already, which a second target of a pool reads again."""
    keys = {
        "vectors": embedder_key(study.pool, study.embedder.name, "corpus_embeddings"),
        **{
            name: study_key(study, named.scores_asset)
            for name, named in study.named_methods.items()
        },
    }
    there = {asset for asset, _ in ledger.current_identities()}
    made = {name for name, key in keys.items() if key.to_user_string() in there}
    return sum(need for name, need in needs.items() if name not in made)


def _text_bytes(corpus: Artifact) -> int:
    """Bytes of a source's texts, by what the file says of itself."""
    file = pq.ParquetFile(corpus.path("rows.parquet"))
    column = file.schema_arrow.names.index("text")
    groups = (file.metadata.row_group(g) for g in range(file.metadata.num_row_groups))
    return sum(group.column(column).total_uncompressed_size for group in groups)
