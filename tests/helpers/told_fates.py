"""What became of every candidate of a subset, with the ids of the rows."""

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import inputs_called
from resources.store.artifacts import Artifact
from selection_assets.shared.choosing.fates import with_row_ids


def told_fates(ledger: Ledger, subset: Artifact) -> list[dict]:
    """Each line of `fates.parquet`, with `row_id`."""
    corpus = inputs_called(ledger, subset, "raw_corpus")
    return with_row_ids(subset.table("fates.parquet"), corpus).to_pylist()
