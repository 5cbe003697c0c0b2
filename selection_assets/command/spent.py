"""What has been spent, by whom, and how far it was foreseen: as tables and lines of a terminal."""

from collections.abc import Iterable, Mapping
from statistics import median

from resources.ledger.ledger import Ledger
from resources.ledger.lineage import LedgerRow, plan_errors, shares
from selection.reports.tables import text_table

ASSET_COLUMNS = ("asset", "partition", "state", "accountant", "flops", "device_seconds")
ASSET_COLUMNS += ("wall_seconds", "usd")
SPENT_COLUMNS = {"steps": "steps", "flops": "FLOPs", "device_seconds": "device seconds"}


def records_table(columns: Mapping[str, str], records: Iterable[LedgerRow]) -> str:
    """Lay out records for a terminal, a column for each heading."""
    rows = [[record[name] for name in columns] for record in records]
    return text_table(list(columns.values()), rows)


def spending_text(
    ledger: Ledger, found: list[LedgerRow], spent: list[LedgerRow], study: str | None
) -> str:
    """Lay out what every asset cost, who paid for it, and what each study bears of it.

    Parameters
    ----------
    found : of each partition, as `spending` gives it.
    spent : of each campaign, as `totals` gives it.
    study : only its shares; None for all.
    """
    return (
        records_table({column: column for column in ASSET_COLUMNS}, found)
        + f"\n\ncharged once, to whose work it is\n{totals_table(spent)}"
        + f"\n\nborne by whom, shared work divided\n{shares_table(ledger, study)}"
    )


def totals_table(spent: list[LedgerRow]) -> str:
    """Lay out the ledger's totals."""
    columns = {"campaign": "campaign", "state": "state"} | SPENT_COLUMNS
    return records_table(columns | {"wall_seconds": "wall seconds", "usd": "USD"}, spent)


def shares_table(ledger: Ledger, study: str | None) -> str:
    """Lay out what each study bears of its own work and of its pool's."""
    columns = {"bearer": "borne by", "campaign": "of the work of"} | SPENT_COLUMNS
    rows = [row for row in shares(ledger) if study in (None, row["bearer"])]
    return records_table(columns | {"usd": "USD"}, rows)


def plan_errors_line(ledger: Ledger, study: str) -> str:
    """One line: by how much the plan was wrong, as a median over assets."""
    found = plan_errors(ledger, study)
    said = []
    for kind, name in (("flops", "FLOPs"), ("seconds", "seconds")):
        errors = [abs(row[f"{kind}_error"]) for row in found if row[f"{kind}_error"] is not None]
        if errors:
            said.append(f"{median(errors):.1%} in {name} ({len(errors)} assets)")
    return f"the plan's error, median over assets: {', '.join(said)}" if said else ""
