"""`selection gc`: show what crashes left in the store, and remove it when asked."""

from typing import Any

from resources.debris import find_debris, remove_debris
from resources.ledger.ledger import Ledger
from selection.reports.tables import text_table


def clear_away(ledger: Ledger, *, unfinished_days: float, delete: bool) -> dict[str, Any]:
    """What nobody will read any more, and how many folders of it were removed."""
    found = find_debris(ledger, unfinished_days=unfinished_days)
    removed = remove_debris(ledger, found) if delete else 0
    return {
        "found": [
            {
                "kind": debris.kind,
                "path": debris.path,
                "bytes": debris.bytes,
                "age_seconds": debris.age.total_seconds(),
                "reason": debris.reason,
            }
            for debris in found
        ],
        "bytes": sum(debris.bytes for debris in found),
        "removed": removed,
    }


def gc_text(cleared: dict[str, Any], *, delete: bool) -> str:
    """Lay out what `clear_away` found and did."""
    found, removed = cleared["found"], cleared["removed"]
    if not found:
        return "nothing to remove: the ledger names every folder, and no work is left over"
    table = text_table(
        ["kind", "path", "bytes", "age", "reason"],
        [[d["kind"], d["path"], d["bytes"], _age(d["age_seconds"]), d["reason"]] for d in found],
    )
    total = f"{len(found)} folders, {cleared['bytes']:,} bytes"
    if not delete:
        return f"{table}\n\n{total}; `selection gc --delete` removes them"
    kept = len(found) - removed
    still = f"; {kept} are in use again and stay" if kept else ""
    return f"{table}\n\n{total}; {removed} removed{still}"


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{max(seconds, 0):.0f} seconds"
