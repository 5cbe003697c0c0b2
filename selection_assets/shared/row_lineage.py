"""Where the ledger is to look for a row: in the pool, in quarantine, in subsets and in scores."""

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import Record
from resources.ledger.rows import follow_row, rows_read, search_rows
from selection.subset.choose import SELECTED


def find_rows(ledger: Ledger, prefix: str) -> list[Record]:
    """Rows of every pool whose id starts so: row_id, source, text, licence, origins, asset."""
    return search_rows(ledger, "raw_corpus", "rows.parquet", "row_id", prefix)


def find_quarantined(ledger: Ledger, prefix: str) -> list[Record]:
    """Rows set aside, by the hash of their raw bytes: source, origin, reason, asset."""
    return search_rows(ledger, "raw_corpus", "quarantine.parquet", "raw_sha256", prefix)


def find_fates(ledger: Ledger, row_id: str) -> list[Record]:
    """Follow a row to what became of it: row, subset, checkpoint, report.

    Returns
    -------
    list of dict
        One for each current arm and draw that decided on the row: the subset's asset and partition,
        the row's fate, and the versions of the checkpoint that trained on it and of its report.
    """
    found = follow_row(
        ledger,
        row_id,
        asset="selected_subset",
        file="fates.parquet",
        readers=("finetuned_checkpoint", "eval_report"),
    )
    fates = []
    for row in found:
        subset, checkpoint, report = (row.pop(n) for n in ("holder", "reader", "last_reader"))
        trained = row["fate"] == SELECTED
        fates.append(
            row
            | {
                "subset": subset,
                "checkpoint": checkpoint if trained else None,
                "report": report if trained else None,
            }
        )
    return fates


def find_scores(ledger: Ledger, subset: str, method: str, row_id: str) -> list[Record]:
    """The scores and receipts of a row that a subset was chosen by, one for each draw.

    Parameters
    ----------
    subset : the subset's materialization; the versions that it read count, not today's.
    """
    return rows_read(ledger, subset, f"{method}_scores", "scores.parquet", row_id)
